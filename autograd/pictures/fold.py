"""Fewer boxes where there are many items: modules first, then cones, then ops in a row.

What may be folded into one box without a cycle between boxes: items that follow each other in the
order of creation, for a way from one to another cannot leave the stretch; and an op with what is
read by it alone, for every way out of such a cone goes through that op.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby

from autograd.pictures.groups import common
from autograd.pictures.nodes import Graph, Item

_FEWEST = 8
"""Boxes below which a folded graph shows too little."""
_KEPT = 6
"""Ops at either end of a long graph that stay as they are."""


@dataclass(eq=False)
class Box:
    """One box of the picture: an item, or several folded into one; and where it stands."""

    items: list[Item]
    path: tuple[str, ...]
    inputs: list[Box] = field(default_factory=list)
    title: str = ""
    lines: list[tuple[str, str]] = field(default_factory=list)
    layer: int = 0
    x: float = 0.0
    y: float = 0.0
    width: float = 0.0
    height: float = 0.0

    @property
    def head(self) -> Item:
        """The item whose value leaves the box: the last."""
        return self.items[-1]

    @property
    def folded(self) -> bool:
        """True where several items stand in one box."""
        return len(self.items) > 1

    @property
    def ops(self) -> list[Item]:
        """Its recorded ops."""
        return [item for item in self.items if item.kind == "op"]


def boxes_of(graph: Graph, limit: int) -> list[Box]:
    """Boxes in order of creation, leaves before what reads them; about `limit` at most."""
    stretches = [[item] for item in graph.ops]
    depth = max((len(item.path) for item in graph.ops), default=0)
    while len(_boxes(graph, stretches)) > limit and depth > 1:
        stretches = list(_by_module(stretches, depth))
        depth -= 1
    if len(_boxes(graph, stretches)) > limit:
        stretches = _cones(graph, stretches, limit)
    size, base = 2, stretches
    while len(_boxes(graph, stretches)) > limit and len(stretches) > 2 * _KEPT + 1:
        stretches = _in_a_row(base, size)
        size += 1 + size // 8
    boxes = _boxes(graph, stretches)
    _say(graph, boxes)
    return boxes


def _cones(graph: Graph, stretches: list[list[Item]], limit: int) -> list[list[Item]]:
    """Join what leads to one op alone with that op: a neuron becomes one box.

    Whole cones where that leaves enough to see; else parts of them, as large as `limit` asks for.
    """
    whole = _cones_up_to(graph, stretches, len(graph.items), alone=True)
    if max(_FEWEST, limit // 5) <= len(_boxes(graph, whole)) <= limit:
        return whole
    size = 2
    while size < len(graph.ops):
        joined = _cones_up_to(graph, stretches, size)
        if len(_boxes(graph, joined)) <= limit:
            return joined
        size += 1 + size // 8
    return whole


def _cones_up_to(
    graph: Graph, stretches: list[list[Item]], size: int, alone: bool = False
) -> list[list[Item]]:
    """Each stretch joins its only reader, up to `size` ops together; the root stays by itself.

    `alone`: only where a single op reads it; else also where all that read it were joined before.
    """
    place = {item: k for k, stretch in enumerate(stretches) for item in stretch}
    top = list(range(len(stretches)))
    count = [len(stretch) for stretch in stretches]
    for k in range(len(stretches) - 2, -1, -1):
        outside = {c for item in stretches[k] for c in item.consumers if place[c] != k}
        readers = {top[place[c]] for c in outside}
        if alone and len(outside) > 1:
            continue
        if len(readers) != 1:
            continue
        head = readers.pop()
        same = stretches[head][-1].path == stretches[k][-1].path
        if graph.root not in stretches[head] and same and count[head] + count[k] <= size:
            top[k] = head
            count[head] += count[k]
    joined: dict[int, list[Item]] = {}
    for k, stretch in enumerate(stretches):
        joined.setdefault(top[k], []).extend(stretch)
    return [joined[k] for k in sorted(joined)]


def _by_module(stretches: list[list[Item]], depth: int) -> Iterator[list[Item]]:
    """Join neighbours of one module at this depth."""

    def key(stretch: list[Item]) -> tuple[tuple[str, ...], int]:
        path = stretch[0].path
        whole = len(path) >= depth and all(i.path[:depth] == path[:depth] for i in stretch)
        return (path[:depth], 0) if whole else ((), id(stretch))

    for _, group in groupby(stretches, key):
        yield [item for stretch in group for item in stretch]


def _in_a_row(stretches: list[list[Item]], size: int) -> list[list[Item]]:
    """Join `size` neighbours of one path, except at both ends."""
    first, middle, last = stretches[:_KEPT], stretches[_KEPT:-_KEPT], stretches[-_KEPT:]
    joined: list[list[Item]] = []
    for _, group in groupby(middle, lambda stretch: stretch[0].path[:1] if size < 8 else ()):
        run = list(group)
        parts = [run[k : k + size] for k in range(0, len(run), size)]
        joined += [[item for stretch in part for item in stretch] for part in parts]
    return first + joined + last


def _boxes(graph: Graph, stretches: list[list[Item]]) -> list[Box]:
    place = {item: k for k, stretch in enumerate(stretches) for item in stretch}
    inside: dict[int, list[Item]] = {}
    outside: list[Item] = []
    for leaf in graph.leaves:
        readers = {place[item] for item in leaf.consumers}
        if len(readers) == 1 and len(stretches[k := readers.pop()]) > 1:
            inside.setdefault(k, []).append(leaf)
        else:
            outside.append(leaf)
    by_item: dict[Item, Box] = {}
    boxes: list[Box] = []
    for leaf in outside:
        boxes.append(Box([leaf], leaf.path))
        by_item[leaf] = boxes[-1]
    for k, stretch in enumerate(stretches):
        path = common([item.path for item in stretch])
        boxes.append(Box(inside.get(k, []) + stretch, path))
        by_item.update(dict.fromkeys(boxes[-1].items, boxes[-1]))
    for box in boxes:
        sources = [
            by_item[s] for item in box.items for s in item.inputs.values() if s.kind != "number"
        ]
        box.inputs = [b for b in dict.fromkeys(sources) if b is not box]
    return boxes


def contents(box: Box) -> str:
    """What a folded box holds: `12 ops: add x 6, mul x 6; 4 leaves`."""
    counts = Counter(item.title for item in box.ops)
    shown = [name if n == 1 else f"{name} × {n}" for name, n in counts.most_common(4)]
    if len(counts) > 4:
        shown.append(f"{len(counts) - 4} more kinds")
    leaves = len(box.items) - len(box.ops)
    rest = "" if not leaves else f"; {leaves} leaf" if leaves == 1 else f"; {leaves} leaves"
    return f"{len(box.ops)} op{'s' * (len(box.ops) > 1)}: {', '.join(shown)}{rest}"


def _say(graph: Graph, boxes: list[Box]) -> None:
    folded = [box for box in boxes if box.folded]
    if folded:
        inside = sum(len(box.items) for box in folded)
        graph.notes.insert(
            0,
            f"{len(graph.items)} nodes: {inside} of them are folded into {len(folded)} boxes"
            " (dashed); draw(..., limit=n) shows more",
        )
