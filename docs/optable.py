"""Pages of ops, made of the op table."""

from __future__ import annotations

import html
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import autograd  # noqa: F401 - fills the table
from autograd.kernel import Kernel
from autograd.op import FUNCTIONS, METHODS, NUMPY, TABLE, Op
from autograd.plan import plan_of
from docs.formulas import code_of, mathml, prose

ROOT = Path(__file__).resolve().parent.parent

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
    **dict.fromkeys(
        ("embedding", "embedding_grad", "embedding_grad_grad"), "O(rows taken x width)"
    ),
}
"""What is not linear in the elements."""

TYPES = {
    "number": "any; mixed types are promoted as PyTorch does",
    "float": "float32, float64; integers become float32 first",
    "same": "one type; mixed types are an error, as in PyTorch",
}


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
        ("at the kink", code_of(op.kink)),
        ("types", TYPES[op.types]),
        ("kept for backward", keeps(op)),
        ("complexity", cost(op)),
        ("computed by", kernel_of(op)),
        ("methods", code([f"Tensor.{name}" for name in names_of(op, METHODS)])),
        ("traces", code(names_of(op, NUMPY))),
        (
            "tests",
            f"<code>{op.name}[0]</code>" + f" ... <code>{op.name}[{last}]</code>" * (last > 0),
        ),
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
    anchor = f"{name}-function" if name in TABLE else name
    also = "".join(f" <code>{html.escape(n)}</code>" for n in used)
    return (
        f'### {name}() {{ #{anchor} }}\n\n<p class="signature"><code>{call}</code></p>\n'
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
                rows.append((op.name, f'<a href="{target}">{op.name}</a>', mathml(op.math)))
    body = "\n".join(
        f"<tr><td>{link}</td><td>{formula}</td></tr>" for _, link, formula in sorted(rows)
    )
    return (
        f"# The op table\n\n{len(TABLE)} primitives, each one block under `autograd/ops/`. All else"
        f" ({len(FUNCTIONS)} functions, every layer, loss and optimizer's surroundings) is composed"
        " of them, so what is proved of the table holds for all.\n\n"
        "In the formulas of gradients `g` is the gradient that arrives, `[x > 0]` is 1 where that"
        " holds and 0 elsewhere. Every sample of every op is a test; its id names both:\n\n"
        "    python -m pytest tests -k 'softmax[1]'\n\n"
        '<table class="ops">\n<tr><th>op</th><th>formula</th></tr>\n'
        f"{body}\n</table>\n"
    )
