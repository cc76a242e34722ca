"""Where the boxes stand: layers by longest path, order by barycentres, places by least squares.

Modules get bands of layers of their own, so that their frames never meet: the ops of a graph come
in an order in which a module's ops mostly stand together, and each stretch of one module starts
below everything before it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby, pairwise
from typing import Any

from autograd.pictures.fold import Box

GAP_X, GAP_Y = 22.0, 34.0
PAD, CAPTION = 12.0, 20.0
_ROUNDS = 8
"""Sweeps of ordering, and of placing; more change nothing that one can see."""


@dataclass(eq=False)
class Stop:
    """Where an edge passes a layer between its ends."""

    layer: int
    outside: int
    """How many of the frames around it the edge neither comes from nor goes to."""
    x: float = 0.0
    y: float = 0.0
    width: float = 8.0
    height: float = 0.0


@dataclass
class Frame:
    """The frame around a module's boxes."""

    path: tuple[str, ...]
    boxes: list[Box]
    first: int
    last: int
    x: float = 0.0
    y: float = 0.0
    width: float = 0.0
    height: float = 0.0


@dataclass
class Layout:
    """Everything placed: boxes, frames from the outermost in, edges as points to pass."""

    boxes: list[Box]
    frames: list[Frame]
    edges: list[tuple[Box, Box, list[Stop]]]
    width: float = 0.0
    height: float = 0.0
    layers: list[list[Any]] = field(default_factory=list)


def lay_out(boxes: list[Box]) -> Layout:
    """Place boxes whose widths and heights are known; the input of a box stands above it."""
    _set_layers(boxes)
    frames = _frames(boxes)
    layers: list[list[Any]] = [[] for _ in range(max(b.layer for b in boxes) + 1)]
    for box in boxes:
        layers[box.layer].append(box)
    edges = [(a, b, _stops(a, b, layers, frames)) for b in boxes for a in b.inputs]
    result = Layout(boxes, frames, edges, layers=layers)
    above, below = _neighbours(edges)
    _order(layers, above, below)
    _set_x(layers, above, below)
    _clear_frames(result)
    _set_y(result)
    _finish(result)
    return result


# Layers


def _set_layers(boxes: list[Box]) -> None:
    """Longest path from the leaves; each stretch of one module below what came before it."""
    consumers: dict[Box, list[Box]] = {}
    for box in boxes:
        for source in box.inputs:
            consumers.setdefault(source, []).append(box)
    ops = [box for box in boxes if box.ops]
    start, top = 0, -1
    for _, run in groupby(ops, lambda box: box.path):
        members = list(run)
        start = top + 1 if any(box.path for box in ops) else 0
        inside = set(members)
        for box in members:
            leaf = any(not s.ops and _first(s, consumers) in inside for s in box.inputs)
            floor = start + 1 if leaf else start
            box.layer = max([floor, *(s.layer + 1 for s in box.inputs if s.ops)])
            top = max(top, box.layer)
    for box in boxes:
        if not box.ops:
            box.layer = min((c.layer for c in consumers.get(box, [])), default=1) - 1


def _first(leaf: Box, consumers: dict[Box, list[Box]]) -> Box:
    return min(consumers[leaf], key=lambda box: box.head.order)


def _frames(boxes: list[Box]) -> list[Frame]:
    """One frame per stretch of boxes in one module, at every depth."""
    ops = [box for box in boxes if box.ops]
    leaves: dict[Box, list[Box]] = {}
    consumers: dict[Box, list[Box]] = {}
    for box in ops:
        for source in box.inputs:
            consumers.setdefault(source, []).append(box)
    for leaf in boxes:
        if not leaf.ops and leaf in consumers:
            leaves.setdefault(_first(leaf, consumers), []).append(leaf)
    frames = []
    for depth in range(1, max((len(b.path) for b in ops), default=0) + 1):
        for path, run in groupby(ops, lambda box: box.path[:depth]):  # noqa: B023
            if len(path) < depth:
                continue
            members = list(run)
            members += [leaf for box in members for leaf in leaves.get(box, ())]
            rows = [box.layer for box in members]
            frames.append(Frame(path, members, min(rows), max(rows)))
    return frames


def _stops(a: Box, b: Box, layers: list[list[Any]], frames: list[Frame]) -> list[Stop]:
    stops = []
    for layer in range(a.layer + 1, b.layer):
        around = [f for f in frames if f.first <= layer <= f.last]
        outside = sum(a not in f.boxes and b not in f.boxes for f in around)
        stops.append(Stop(layer, outside))
        layers[layer].insert(len(layers[layer]) // 2, stops[-1])
    return stops


def _neighbours(edges: Any) -> tuple[dict[Any, list[Any]], dict[Any, list[Any]]]:
    above: dict[Any, list[Any]] = {}
    below: dict[Any, list[Any]] = {}
    for a, b, stops in edges:
        for upper, lower in pairwise([a, *stops, b]):
            above.setdefault(lower, []).append(upper)
            below.setdefault(upper, []).append(lower)
    return above, below


# Order within a layer, and x


def _order(layers: list[list[Any]], above: Any, below: Any) -> None:
    """Sort each layer by the mean place of its neighbours, down and up in turn."""
    place: dict[Any, float] = {}

    def note(layer: list[Any]) -> None:
        for k, thing in enumerate(layer):
            place[thing] = k - (len(layer) - 1) / 2

    for layer in layers:
        note(layer)
    for sweep in range(_ROUNDS):
        down = sweep % 2 == 0
        beside = above if down else below
        for layer in layers if down else reversed(layers):
            key = {t: _mean([place[n] for n in beside.get(t, ())], place[t]) for t in layer}
            layer.sort(key=key.__getitem__)
            _put_outside(layer, place)
            note(layer)


def _put_outside(layer: list[Any], place: dict[Any, float]) -> None:
    """Edges that only pass a module go to its sides."""
    passing = [t for t in layer if isinstance(t, Stop) and t.outside]
    if not passing or len(passing) == len(layer):
        return
    members = [t for t in layer if t not in passing]
    half = len(layer) / 2
    rank = {t: k for k, t in enumerate(layer)}
    left = [t for t in passing if rank[t] < half and place[t] < 0]
    right = [t for t in passing if t not in left]
    layer[:] = left + members + right


def _mean(values: list[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _set_x(layers: list[list[Any]], above: Any, below: Any) -> None:
    """Move each layer as near to the middle of its neighbours as the boxes' widths allow."""
    for layer in layers:
        _place(layer, [0.0] * len(layer))
    for sweep in range(_ROUNDS):
        beside = (above, below)[sweep % 2]
        for layer in layers if sweep % 2 == 0 else reversed(layers):
            wanted = [_mean([n.x for n in beside.get(t, ())], t.x) for t in layer]
            _place(layer, wanted)
    for layer in layers:
        wanted = [_mean([n.x for n in (*above.get(t, ()), *below.get(t, ()))], t.x) for t in layer]
        _place(layer, wanted)


def _place(layer: list[Any], wanted: list[float]) -> None:
    """The least squares solution in which neighbours keep their distance.

    With the distances taken off, the places must not fall: isotonic regression by pooling.
    """
    offset, offsets = 0.0, []
    for i, thing in enumerate(layer):
        if i:
            offset += (layer[i - 1].width + thing.width) / 2 + GAP_X
        offsets.append(offset)
    pools: list[tuple[float, int]] = []
    for x, shift in zip(wanted, offsets):
        mean, count = x - shift, 1
        while pools and pools[-1][0] > mean:
            other, n = pools.pop()
            mean, count = (other * n + mean * count) / (n + count), n + count
        pools.append((mean, count))
    places = [mean for mean, count in pools for _ in range(count)]
    for thing, x, shift in zip(layer, places, offsets):
        thing.x = x + shift


def _clear_frames(layout: Layout) -> None:
    """Move edges that only pass a module out of its frame, and set the frames' sides."""
    depth = {id(f): sum(g.first <= f.first and f.last <= g.last and set(f.boxes) < set(g.boxes)
                        for g in layout.frames) for f in layout.frames}  # fmt: skip
    deepest = max(depth.values(), default=0)
    for frame in layout.frames:
        pad = PAD * (1 + deepest - depth[id(frame)])
        left = min(b.x - b.width / 2 for b in frame.boxes) - pad
        right = max(b.x + b.width / 2 for b in frame.boxes) + pad
        frame.x, frame.width = left, right - left
    for layer in layout.layers:
        _move_out(layer, layout.frames)


def _move_out(layer: list[Any], frames: list[Frame]) -> None:
    for side in (-1, 1):
        shift = 0.0
        stops = [t for t in layer if isinstance(t, Stop) and t.outside]
        for stop in stops if side > 0 else reversed(stops):
            around = [f for f in frames if f.first <= stop.layer <= f.last][-stop.outside :]
            if not around:
                continue
            left = min(f.x for f in around)
            right = max(f.x + f.width for f in around)
            if left - 6 < stop.x < right + 6 and ((stop.x - (left + right) / 2) * side > 0):
                shift += 9
                stop.x = right + shift if side > 0 else left - shift


# y


def _set_y(layout: Layout) -> None:
    y = 0.0
    for k, layer in enumerate(layout.layers):
        opening = [f for f in layout.frames if f.first == k]
        y += sum(CAPTION + PAD / 2 for _ in opening)
        height = max((t.height for t in layer), default=0.0)
        for thing in layer:
            thing.y = y + height / 2
        y += height
        closing = sum(f.last == k for f in layout.frames)
        y += closing * PAD + GAP_Y
    for frame in layout.frames:
        inner = [g for g in layout.frames if set(g.boxes) <= set(frame.boxes)]
        opens = sum(g.first == frame.first and len(g.path) >= len(frame.path) for g in inner)
        closes = sum(g.last == frame.last and len(g.path) >= len(frame.path) for g in inner)
        rows = [layout.layers[frame.first], layout.layers[frame.last]]
        high = min(t.y - t.height / 2 for t in rows[0])
        low = max(t.y + t.height / 2 for t in rows[1])
        frame.y = high - opens * (CAPTION + PAD / 2)
        frame.height = low + closes * PAD - frame.y


def _finish(layout: Layout) -> None:
    """Shift everything so that the picture begins at (0, 0)."""
    stops = [s for _, _, stops in layout.edges for s in stops]
    placed: list[Any] = [*layout.boxes, *stops]
    lefts = [t.x - t.width / 2 for t in placed] + [f.x for f in layout.frames]
    rights = [t.x + t.width / 2 for t in placed]
    rights += [f.x + f.width for f in layout.frames]
    left = min(lefts)
    for thing in (*placed, *layout.frames):
        thing.x -= left
    layout.width = max(rights) - left
    lows = [b.y + b.height / 2 for b in layout.boxes] + [f.y + f.height for f in layout.frames]
    layout.height = max(lows)
