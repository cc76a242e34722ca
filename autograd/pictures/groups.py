"""Which module each op belongs to, as far as that can be told after the fact.

An op that reads a module's parameters belongs to that module.  An op between two such ops belongs
to the innermost module that both are in.  What this cannot know: modules without parameters (an
activation belongs to the module around it), and what a model does before its first parameter is
read or after its last.  A `Memory` of the model knows all of it.
"""

from __future__ import annotations

from typing import Any

from autograd.pictures.nodes import Graph, Item

Path = tuple[str, ...]


def assign(graph: Graph, model: Any) -> None:
    """Set `item.path` for ops and leaves; those that a Memory placed stay."""
    if model is not None and not any(item.path for item in graph.ops):
        _by_parameters(graph, model)
    for leaf in graph.leaves:
        first = min(leaf.consumers, key=lambda item: item.order, default=None)
        leaf.path = first.path if first is not None else ()


def _by_parameters(graph: Graph, model: Any) -> None:
    top = type(model).__name__
    owners: dict[int, Path] = {
        id(p): (top, *name.split(".")[:-1]) for name, p in model.named_parameters()
    }
    for item in graph.ops:
        read = [owners.get(id(source.tensor)) for source in item.inputs.values()]
        paths = [path for path in read if path is not None]
        if paths:
            item.path = common(paths)
    if not any(item.path for item in graph.ops):
        graph.notes.append(f"no op here reads a parameter of this {top}: no groups are drawn")
        return
    _between(graph.ops)
    graph.notes.append(
        "modules are told by the parameters that ops read: one without parameters is not seen,"
        " `with autograd.remember(model) as seen:` sees all"
    )


def _between(ops: list[Item]) -> None:
    """Give each op without a module that of the labelled ops around it."""
    after: list[Path] = []
    following: Path = ()
    for item in reversed(ops):
        following = item.path or following
        after.append(following)
    before: Path = ()
    for item, following in zip(ops, reversed(after)):
        if item.path:
            before = item.path
        elif before and following:
            item.path = common([before, following])


def common(paths: list[Path]) -> Path:
    """The longest common beginning."""
    first, last = min(paths), max(paths)
    n = 0
    while n < min(len(first), len(last)) and first[n] == last[n]:
        n += 1
    return first[:n]


def titles(model: Any) -> dict[Path, str]:
    """What to write on the box of a module: `0.hidden · Linear`."""
    if model is None:
        return {}
    top = type(model).__name__
    found: dict[Path, str] = {(top,): top}
    for name, module in model.named_modules():
        if name:
            found[(top, *name.split("."))] = f"{name} · {type(module).__name__}"
    return found
