"""The API reference: what is public, section by section; mkdocstrings writes the entries."""

from __future__ import annotations

import functools
import html
import importlib
import inspect
import re
import sys
from collections.abc import Iterator
from typing import Any

import autograd
from autograd.op import FUNCTIONS, TABLE
from docs.formulas import code_of, prose

AUTOGRAD = {
    "Tensors": ("autograd.tensor", "autograd.creation", "autograd.interop"),
    "Gradients": ("autograd.backward", "autograd.functional", "autograd.modes"),
    "Compiled steps": ("autograd.compiled.step", "autograd.compiled.errors"),
    "Extending and checking": (
        *("autograd.function", "autograd.checkpoint", "autograd.gradcheck", "autograd.anomaly"),
        "autograd.errors",
    ),
    "Random streams": ("autograd.generator",),
    "Pictures and explanations": (
        *("autograd.pictures.picture", "autograd.pictures.chain", "autograd.pictures.stepping"),
        "autograd.pictures.remember",
    ),
    "What is wrong with a gradient": ("autograd.reasons.asking", "autograd.reasons.watching"),
    "Verification of a live model": ("autograd.verification", "autograd.digits"),
    "The machine": ("autograd.machine",),
}
"""The sections of the page `autograd`, by the modules that its names are written in."""
API = {
    "autograd": ("autograd", "The engine. What computes is in [the op table](../ops/index.md)."),
    "nn": ("nn", "Modules, layers and losses."),
    "nn.functional": ("nn.functional", "Layers and losses as functions."),
    "nn.init": ("nn.init", "Initial values of parameters."),
    "nn.utils": ("nn.utils", "Clipping, parameters as vectors."),
    "nn.utils.data": ("nn.utils.data", "Datasets, samplers, the loader."),
    "nn.keras": ("nn.keras", "Models of the Keras face."),
    **{
        f"nn.keras.{area}": (f"nn.keras.{area}", "")
        for area in (
            *("layers", "losses", "metrics", "optimizers", "callbacks", "activations"),
            *("initializers", "regularizers", "constraints", "utils", "saving", "random", "ops"),
        )
    },
    "nn.plot": ("nn.plot", "Pictures of models and trainings, as matplotlib Axes."),
    "nn.sklearn": ("nn.sklearn", "Estimators of scikit-learn that train on this engine."),
    "optim": ("optim", "Optimizers, clipping."),
    "optim.lr_scheduler": ("optim.lr_scheduler", "Schedules."),
    "optim.swa_utils": ("optim.swa_utils", "Averaged weights."),
}
"""Page -> the package whose public names stand on it, and a sentence."""
TREES = ("autograd", "nn", "optim")
LATER: dict[str, Any] = {"autograd": autograd._LATER, "nn": ("lint",)}
"""Names that a package fetches at first use."""


def public(package: Any) -> dict[str, Any]:
    """The public classes and functions of a package, in its order."""
    names = getattr(package, "__all__", None) or [n for n in vars(package) if n[0] != "_"]
    names = dict.fromkeys((*names, *LATER.get(package.__name__, ())))
    found = {}
    for name in names:
        thing = getattr(package, name)
        home = getattr(thing, "__module__", None) or ""
        if (inspect.isclass(thing) or inspect.isfunction(thing)) and home.startswith(TREES):
            found[name] = thing
    return found


def written(thing: Any) -> bool:
    """True where a reader of sources finds it: a `def` or `class` at the top of its module."""
    module = sys.modules.get(thing.__module__)
    if module is None or "." in thing.__qualname__ or thing.__module__.endswith("_compat"):
        return False
    source = inspect.getsource(module)
    return re.search(rf"^(?:def|class) {re.escape(thing.__qualname__)}\b", source, re.M) is not None


def entry(label: str, thing: Any) -> str:
    """What mkdocstrings makes the entry of; by hand where it would not find it."""
    if not written(thing):
        call = html.escape(f"{thing.__name__}{inspect.signature(thing)}".replace("'", ""))
        short = label.rpartition(".")[2]
        return (
            f'### {label} {{ #{label} data-toc-label="{short}" }}\n\n'
            f'<p class="signature"><code>{call}</code></p>\n\n{prose(inspect.getdoc(thing))}\n'
        )
    return (
        f"::: {thing.__module__}.{thing.__qualname__}\n"
        f"    options:\n      heading: {label}\n      toc_label: {label.rpartition('.')[2]}\n"
    )


def sections(package: str, found: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Names by section: for `autograd` as AUTOGRAD says, else by the module they are written in."""
    if package == "autograd":
        for title, homes in AUTOGRAD.items():
            yield title, {n: t for n, t in found.items() if t.__module__ in homes}
        listed = {home for homes in AUTOGRAD.values() for home in homes}
        yield (
            "More",
            {
                n: t
                for n, t in found.items()
                if t.__module__ not in listed and n not in (*TABLE, *FUNCTIONS)
            },
        )
        return
    homes = dict.fromkeys(t.__module__ for t in found.values())
    for home in homes:
        summary = re.split(r"[.:;](?:\s|$)", (sys.modules[home].__doc__ or home).strip())[0]
        yield summary, {n: t for n, t in found.items() if t.__module__ == home}


@functools.cache
def owners() -> dict[Any, str]:
    """The page on which each class or function stands, once: the packages inside come first."""
    found: dict[Any, str] = {}
    for title, (package, _) in sorted(API.items(), key=lambda item: -item[0].count(".")):
        try:
            module = importlib.import_module(package)
        except ImportError:  # of an extra that is not installed; its page is not made then either
            continue
        for thing in public(module).values():
            found.setdefault(thing, title)
    return found


def api_page(title: str) -> str:
    """The reference of one package."""
    package, sentence = API[title]
    module = importlib.import_module(package)
    prefix = package.removeprefix("nn.") if ".keras" in package else package
    parts = [f"# {title}\n", f"{sentence}\n"]
    done: set[Any] = set()
    for heading, names in sections(package, public(module)):
        own = {n: t for n, t in names.items() if owners()[t] == title}
        aliases = {}
        if any(t not in done for t in own.values()):
            parts.append(f"## {code_of(heading)}\n")
        for name, thing in own.items():
            if thing in done:
                aliases[name] = thing
                continue
            done.add(thing)
            parts.append(entry(f"{prefix}.{name}", thing))
        if aliases:
            said = ", ".join(f"`{n}` is `{t.__name__}`" for n, t in aliases.items())
            parts.append(f"Other names: {said}.\n")
        elsewhere = [(n, owners()[t]) for n, t in names.items() if n not in own]
        parts += [f"- `{prefix}.{n}`: on [{page}]({page}.md)." for n, page in elsewhere]
        parts.append("")
    return "\n".join(parts)
