"""The generated part of the documentation: a page per family of ops, and the API reference.

mkdocs loads this file as a hook (see mkdocs.yml), so the pages cannot drift from the op table and
the docstrings: they are made of them at each build.  To look at the Markdown:

    python docs/generate.py FOLDER
"""

from __future__ import annotations

import functools
import html
import importlib
import inspect
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
if str(ROOT) not in sys.path:  # this tree's packages and benchmarks, whatever is installed
    sys.path.insert(0, str(ROOT))

import autograd  # noqa: E402
from autograd.kernel import Kernel  # noqa: E402
from autograd.op import FUNCTIONS, METHODS, NUMPY, TABLE, Op  # noqa: E402
from autograd.plan import plan_of  # noqa: E402

GROUPS: dict[str, tuple[str, ...]] = {
    "Arithmetic": ("elementwise", "powers", "rounding", "compare", "select"),
    "Elementary functions": ("functions", "trigonometric"),
    "Activations": (
        *("activation", "smooth", "gates", "gelu", "elu", "selu_right", "shrink"),
        *("softmax", "logsumexp"),
    ),
    "Reductions and order": (
        *("reduce", "moments", "product", "extremum", "count", "scan", "running", "sort"),
    ),
    "Shape and indexing": (
        *("shape", "arrange", "join", "index", "subscript", "gather", "region", "mask"),
        "embedding",
    ),
    "Linear algebra": ("linear", "linear_act", "dense", "matrix", "einsum"),
    "Normalisation": ("batch_norm", "batch_norm_fixed", "layer_norm"),
    "Losses": (
        *("loss", "cross_entropy", "soft_cross_entropy", "binary_cross_entropy", "logits"),
        *("likelihood", "gaussian", "margin", "multilabel"),
    ),
    "Random numbers": ("random",),
}
"""Page by page, the families (files of autograd/ops) that stand on it; the rest: "More"."""

LINEAR = "O(n), n the elements of the largest array"
COST = {
    **dict.fromkeys(("matmul", "matmul_nt", "matmul_tn"), "O(b m k n) for b products (m, k)(k, n)"),
    **dict.fromkeys(
        ("linear", "dense", "linear_relu", "linear_sigmoid", "linear_tanh"),
        "O(N i o) for N rows, i inputs, o outputs",
    ),
    "contract": "O(product of the sizes of all its letters), pair by pair through matmul",
    "argsort": "O(n log m) along a dimension of m",
    "topk_places": "O(n log k), or a sort where k is large",
    "searchsorted": "O(n log m), m the edges",
    **dict.fromkeys(("median", "median_place"), "O(n) on average, by selection"),
    "multilabel_margin_loss": "O(N C^2) at most, for N rows of C classes",
    "multilabel_margin_loss_grad": "O(N C^2) at most, for N rows of C classes",
    **dict.fromkeys(("embedding", "embedding_grad", "embedding_grad_grad"), "O(rows taken x width)"),
}
"""What is not linear in the elements."""

TYPES = {
    "number": "any; mixed types are promoted as PyTorch does",
    "float": "float32, float64; integers become float32 first",
    "same": "one type; mixed types are an error, as in PyTorch",
}


# Mathematics


def mathml(latex: str, block: bool = False) -> str:
    """LaTeX as MathML, which browsers draw without scripts; ValueError for what it cannot say."""
    from latex2mathml.converter import convert

    found = convert(latex.replace(r"\argmax", r"\operatorname{argmax}").replace(
        r"\argmin", r"\operatorname{argmin}"), display="block" if block else "inline")
    if "\\" in found:
        raise ValueError(f"docs: no MathML for {latex!r}; it gives {found}")
    return found


_MATH = re.compile(r"<(?P<tag>span|div) class=\"arithmatex\">(?P<text>.*?)</(?P=tag)>", re.DOTALL)


def with_math(page: str) -> str:
    r"""Replace what arithmatex marked, `\(...\)` and `\[...\]`, by MathML."""

    def one(match: re.Match[str]) -> str:
        text = html.unescape(match["text"]).strip()
        return mathml(text[2:-2], block=text.startswith(r"\["))

    return _MATH.sub(one, page)


def prose(text: str | None) -> str:
    """A docstring as HTML: paragraphs, `code`, indented blocks."""
    parts = []
    for block in re.split(r"\n\s*\n", inspect.cleandoc(text or "")):
        if block.startswith((">>>", "    ")):
            parts.append(f"<pre><code>{html.escape(inspect.cleandoc(block))}</code></pre>")
        elif block:
            parts.append(f"<p>{_code(block)}</p>")
    return "".join(parts)


def _code(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text, quote=False))


# Ops


def family(thing: Any) -> str:
    """The file of autograd/ops that an op or a function stands in."""
    return (thing.ref if isinstance(thing, Op) else inspect.unwrap(thing)).__module__.split(".")[-1]


def pages() -> dict[str, tuple[str, ...]]:
    """GROUPS, and a page for the families that are in none of them."""
    known = {name for names in GROUPS.values() for name in names}
    rest = tuple(dict.fromkeys(f for op in TABLE.values() if (f := family(op)) not in known))
    return {**GROUPS, **({"More": rest} if rest else {})}


def file_of(title: str) -> str:
    """The page of a group, in the site."""
    return f"ops/{title.lower().replace(' ', '-')}.md"


def place(op: Op) -> str:
    """Where its record stands: a file, and the line."""
    path = Path("autograd", "ops", f"{family(op)}.py")
    lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
    quoted = f'"{op.name}"'
    for number, line in enumerate(lines, 1):
        if quoted in line and any("op(" in before for before in lines[max(number - 2, 0) : number]):
            return f"{path}:{number}"
    return str(path)  # entered by a function that serves several


def keeps(op: Op) -> str:
    """What a node holds on to until its backward."""
    if not op.vjp:
        return "not differentiable: no node"
    plan = plan_of(op, [True] * len(op.inputs), None, None)
    names = [op.name_of(i) for i in plan.keep] + ["its result"] * plan.keeps_out
    return ", ".join(names) or ("shapes and types only" if plan.specs else "nothing")


def kernel_of(op: Op) -> str:
    """What computes it."""
    if op.view:
        return "a view: nothing is copied"
    if isinstance(op.kernel, np.ufunc):
        return f"NumPy's {op.kernel.__name__}"
    return "a compiled loop" if isinstance(op.kernel, Kernel) else "launches of compiled loops"


def cost(op: Op) -> str:
    """Its complexity; that of its derivatives is the same."""
    return "O(1)" if op.view else COST.get(op.name, LINEAR)


def names_of(thing: Any, table: dict[Any, Any]) -> list[str]:
    """Under what names a table of `autograd.op` holds an op or function."""
    found = [key for key, value in table.items() if value is thing]
    return [key if isinstance(key, str) else f"np.{key.__name__}" for key in found]


def sign(op: Op) -> str:
    """Its call, e.g. `softmax(x, *, dim)`."""
    return repr(op)[len("<op ") : -1]


def op_section(op: Op) -> str:
    """One op as Markdown with an HTML table."""
    def code(names: list[str]) -> str:
        return ", ".join(f"<code>{html.escape(name)}</code>" for name in names)

    last = len(op.samples) - 1
    rows = [("formula", mathml(op.math, block=True))]
    for i, formula in enumerate(op.dmath):
        label = f"gradient of <code>{op.name_of(i)}</code>"
        rows.append((label, "none" if formula is None else mathml(formula, block=True)))
    rows += [
        ("at the kink", _code(op.kink)),
        ("types", TYPES[op.types]),
        ("kept for backward", keeps(op)),
        ("complexity", cost(op)),
        ("computed by", kernel_of(op)),
        ("methods", code([f"Tensor.{name}" for name in names_of(op, METHODS)])),
        ("traces", code(names_of(op, NUMPY))),
        ("tests", f"<code>{op.name}[0]</code>" + f" ... <code>{op.name}[{last}]</code>" * (last > 0)),
        ("source", f"<code>{place(op)}</code>"),
    ]
    body = "\n".join(f"<tr><th>{a}</th><td>{b}</td></tr>" for a, b in rows if b)
    call = html.escape(sign(op))
    return (
        f"### {op.name} {{ #{op.name} }}\n\n"
        f'<p class="signature"><code>{call}</code></p>\n<table class="op">\n{body}\n</table>\n'
    )


def function_section(name: str, function: Callable[..., Any]) -> str:
    """One composed function as Markdown."""
    call = html.escape(f"{name}{inspect.signature(function)}".replace("'", ""))
    used = [f"Tensor.{n}" for n in names_of(function, METHODS)] + names_of(function, NUMPY)
    also = "".join(f" <code>{html.escape(n)}</code>" for n in used)
    return (
        f"### {name}() {{ #{name} }}\n\n<p class=\"signature\"><code>{call}</code></p>\n"
        f"{prose(function.__doc__)}\n{'<p>Also:' + also + '</p>' if also else ''}\n"
    )


def of_backward(op: Op) -> bool:
    """True for the ops that derivatives are written in."""
    return op.name.endswith("_grad") or (not op.vjp and op.name.endswith("_stats"))


def op_page(title: str, families: tuple[str, ...]) -> str:
    """A page: the ops of these families, those of their derivatives, and composed functions."""
    own = [op for f in families for op in TABLE.values() if family(op) == f]
    composed = {n: f for n, f in FUNCTIONS.items() if family(f) in families}
    parts = [f"# {title}\n"]
    for heading, ops in (
        ("", [op for op in own if not of_backward(op)]),
        ("Ops of their derivatives", [op for op in own if of_backward(op)]),
    ):
        if heading and ops:
            parts.append(
                f"## {heading}\n\n`v` is the gradient that arrives at the function, `g` the one"
                " that arrives at this op: they are differentiable in turn.\n"
            )
        elif ops:
            parts.append("## Primitives\n")
        parts += [op_section(op) for op in ops]
    if composed:
        parts.append("## Composed of them\n")
        parts += [function_section(name, f) for name, f in sorted(composed.items())]
    return "\n".join(parts)


def op_index() -> str:
    """All ops on one page, each with its formula and a link."""
    rows = []
    for title, families in pages().items():
        for op in TABLE.values():
            if family(op) in families and not of_backward(op):
                target = f"../{file_of(title)[:-3]}/#{op.name}"
                rows.append((op.name, f'<a href="{target}">{op.name}</a>', mathml(op.math), title))
    body = "\n".join(
        f"<tr><td>{link}</td><td>{formula}</td><td>{title}</td></tr>"
        for _, link, formula, title in sorted(rows)
    )
    return (
        f"# The op table\n\n{len(TABLE)} primitives, each one block under `autograd/ops/`. All else"
        f" ({len(FUNCTIONS)} functions, every layer, loss and optimizer's surroundings) is composed"
        " of them, so what is proved of the table holds for all.\n\n"
        "In the formulas of gradients `g` is the gradient that arrives, `[x > 0]` is 1 where that"
        " holds and 0 elsewhere. Every sample of every op is a test; its id names both:\n\n"
        "    python -m pytest tests -k 'softmax[1]'\n\n"
        '<table class="ops">\n<tr><th>op</th><th>formula</th><th>page</th></tr>\n'
        f"{body}\n</table>\n"
    )


# The API


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
        yield "More", {
            n: t
            for n, t in found.items()
            if t.__module__ not in listed and n not in (*TABLE, *FUNCTIONS)
        }
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
        for thing in public(importlib.import_module(package)).values():
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
            parts.append(f"## {_code(heading)}\n")
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


# Benchmarks


_RUN = re.compile(r"<!-- run: (\S+) -->")


def measured(page: str) -> str:
    """Tables of the saved runs that a page names: `<!-- run: compare.json -->`."""

    def one(match: re.Match[str]) -> str:
        path = HERE / "data" / match[1]
        if not path.exists():
            return f"*No run is kept in `docs/data/{match[1]}` yet.*"
        return run_tables(json.loads(path.read_text(encoding="utf-8")))

    return _RUN.sub(one, page)


def run_tables(run: dict[str, Any]) -> str:
    """A saved run of `python -m benchmarks SUITE --save FILE`, as Markdown."""
    from benchmarks.report import CONTROL, markdown, shown

    machine, rows = run["machine"], [r for r in run["rows"] if not r["name"].startswith(CONTROL)]
    met = dict.fromkeys(c for row in rows for c in row["seconds"])
    order = [*(c for c in run.get("columns", ()) if c in met), *met]
    columns = list(dict.fromkeys(order))
    about = f"{machine.get('cpu', '?')}, {machine.get('cores', '?')} cores, {run['date'][:10]}"
    if len(columns) <= 4:
        body = [[row["title"], *(shown(row["seconds"].get(c)) for c in columns)] for row in rows]
        table = markdown(body, ["", *columns])
    else:
        body = [
            [column, *(shown(row["seconds"].get(column)) for row in rows)] for column in columns
        ]
        table = markdown(body, ["", *(row["title"] for row in rows)])
    return f"`{run['command']}`, on {about}: median and spread.\n\n{table}\n"


# mkdocs


def generated() -> dict[str, Callable[[], str]]:
    """Every generated page and what makes it."""
    made: dict[str, Callable[[], str]] = {"ops/index.md": op_index}
    for title, families in pages().items():
        made[file_of(title)] = lambda title=title, families=families: op_page(title, families)
    for title in API:
        made[f"api/{title}.md"] = lambda title=title: api_page(title)
    return made


def on_files(files: Any, config: Any) -> Any:
    """Add the generated pages (a hook of mkdocs)."""
    from mkdocs.structure.files import File

    if str(ROOT) not in sys.path:  # mkdocs puts the path back after loading a hook
        sys.path.insert(0, str(ROOT))
    for path, make in generated().items():
        files.append(File.generated(config, path, content=make()))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Put measured tables in (a hook of mkdocs)."""
    return measured(markdown)


def on_page_content(html: str, **_: Any) -> str:
    """Draw formulas (a hook of mkdocs)."""
    return with_math(html)


def main() -> None:
    """Write the generated pages into the folder that the command line names."""
    (folder,) = map(Path, sys.argv[1:])
    for path, make in generated().items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(make(), encoding="utf-8")
        print(target)


if __name__ == "__main__":
    if getattr(autograd, "ENGINE", None) != "tapegrad":
        raise SystemExit("docs: the `autograd` found here is not this one")
    main()
