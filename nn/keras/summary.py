"""`model.summary()`: the table that Keras prints."""

from __future__ import annotations

import math
import re
import shutil
from collections.abc import Callable, Iterator
from typing import Any

from nn.keras.node import KerasTensor, leaves, mapped, shapes_of

_EDGES = ("┏━┳┓", "┡━╇┩", "├─┼┤", "└─┴┘")
_WORD = re.compile(r"\s*\S+\s*")


def print_summary(
    model: Any,
    line_length: int | None = None,
    positions: list[float] | None = None,
    print_fn: Callable[..., Any] | None = None,
    expand_nested: bool = False,
    show_trainable: bool = False,
    layer_range: Any = None,
) -> None:
    """Print what `summary_text` gives, or pass it to `print_fn`."""
    text = summary_text(model, line_length, positions, expand_nested, show_trainable, layer_range)
    if print_fn is None:
        print(text, end="")
    else:
        print_fn(text)


def summary_text(
    model: Any,
    line_length: int | None = None,
    positions: list[float] | None = None,
    expand_nested: bool = False,
    show_trainable: bool = False,
    layer_range: Any = None,
) -> str:
    """The layers with their output shapes and parameters, and the totals.

    `line_length`: the width of the table; by default what fits the terminal, at most 88 (108 with
    connections, which a model that is no chain has).  `positions`: where the columns end, as shares
    or in characters.
    """
    graph = getattr(model, "_graph", None)
    chain = graph is None or graph.is_chain()
    headers, sides = ["Layer (type)", "Output Shape", "Param #"], ["left", "left", "right"]
    if positions is None:
        positions = [0.45, 0.80, 1.0] if chain else [0.3, 0.56, 0.74, 1.0]
    if not chain:
        headers, sides = [*headers, "Connected to"], [*sides, "left"]
    if show_trainable:
        positions = [0.9 * p for p in positions] + [1.0]
        headers, sides = [*headers, "Trainable"], [*sides, "center"]
    usual = (88 if chain else 108) + 12 * show_trainable
    width = line_length or min(usual, shutil.get_terminal_size().columns - 4)
    if len(positions) != len(headers):
        raise ValueError(
            f"summary: the table has {len(headers)} columns ({', '.join(headers)}), and positions"
            f" {len(positions)} ends"
        )
    rows = []
    for layer in _chosen(model.layers if graph is None else graph.operations, layer_range):
        for each, level in _nested(layer, 0, expand_nested):
            fields = _fields(each, level)
            if not chain:
                fields.append(_connections(each, graph))
            if show_trainable:
                fields.append(_frozen_or_not(each))
            rows.append(fields)
    table = _table([headers, *rows], sides, _widths(positions, width))
    return f'Model: "{model.name}"\n{table}{_totals(model)}'


# Rows


def _nested(layer: Any, level: int, expand: bool) -> Iterator[tuple[Any, int]]:
    yield layer, level
    if expand:
        for inner in getattr(layer, "layers", ()):
            yield from _nested(inner, level + 1, expand)


def _chosen(layers: list[Any], layer_range: Any) -> list[Any]:
    """The layers from the first that matches one pattern to the last that matches the other."""
    if layer_range is None:
        return layers
    if len(layer_range) != 2 or not all(isinstance(name, str) for name in layer_range):
        raise ValueError(
            "layer_range must be a list or tuple of two strings: names or patterns of layers."
            f" Received: layer_range = {layer_range}"
        )
    first, last = (
        [i for i, layer in enumerate(layers) if re.match(name, layer.name)] for name in layer_range
    )
    if not first or not last:
        raise ValueError(
            f"Passed layer_names do not match the layer names in the model. Received:"
            f" {layer_range}; the layers are {[layer.name for layer in layers]}"
        )
    start, end = min(first), max(last)
    return layers[min(start, end) : max(start, end) + 1]


def _fields(layer: Any, level: int) -> list[str]:
    prefix = "   " * level + "└ " if level else ""
    if not hasattr(layer, "built"):
        params = "0"
    else:
        params = f"{layer.count_params():,}" if layer.built else "0 (unbuilt)"
    return [f"{prefix}{layer.name} ({type(layer).__name__})", _shape(layer), params]


def _shape(layer: Any) -> str:
    """The output's shape in the last symbolic call, or for what the layer was built for."""
    if layer._inbound_nodes:
        shapes = shapes_of(layer._inbound_nodes[-1].out)
    elif getattr(layer, "_flow", None):
        shapes = layer.output_shape
    elif getattr(layer, "_build_shapes", None):
        try:
            given = layer._build_shapes
            one = len(given) == 1
            shapes = (
                layer.compute_output_shape(*given.values())
                if one
                else (layer.compute_output_shape(**given))
            )
        except Exception:  # a shape that cannot be found is shown as unknown
            return "?"
    else:
        return "?"
    marked = mapped(_as_symbols(shapes), lambda t: str(t.shape))
    parts = list(leaves(marked))
    return parts[0] if len(parts) == 1 else str(marked).replace("'", "")


def _as_symbols(shapes: Any) -> Any:
    """Shapes as leaves, which tuples of sizes are not."""
    if isinstance(shapes, (list, tuple)):
        if all(d is None or isinstance(d, int) for d in shapes):
            return KerasTensor(shapes, name="shape")
        return [_as_symbols(s) for s in shapes]
    if isinstance(shapes, dict):
        return {k: _as_symbols(s) for k, s in shapes.items()}
    return shapes


def _connections(layer: Any, graph: Any) -> str:
    histories = [
        t._keras_history
        for node in layer._inbound_nodes
        if node in graph.depths
        for t in node.inputs
    ]
    return ", ".join(f"{o.name}[{node}][{k}]" for o, node, k in histories) or "-"


def _frozen_or_not(layer: Any) -> str:
    if not getattr(layer, "weights", ()):
        return "-"
    return "Y" if layer.trainable else "N"


# The table


def _widths(positions: list[float], line_length: int) -> list[int]:
    """Widths of the texts in the columns."""
    if positions[-1] <= 1:
        ends = [int(p * line_length) for p in positions]
    else:
        ends = [int(p) for p in positions]
    wanted = [b - a for a, b in zip([0, *ends], ends)]
    if min(wanted) < 4:
        raise ValueError("Insufficient console width to print summary.")
    left = sum(wanted) + 2 * len(wanted) - (line_length - len(wanted) - 1)
    found = []
    for i, width in enumerate(wanted):  # what borders and padding take, evenly from all columns
        share = round(left / (len(wanted) - i))
        left -= share
        found.append(max(1, width - share))
    return found


def _wrapped(text: str, width: int) -> list[str]:
    """Lines of whole words; a word that is too long is cut."""
    lines = [""]
    for word in _WORD.findall(text):
        if lines[-1] and len(lines[-1]) + len(word.rstrip()) > width:
            lines.append("")
        lines[-1] += word
    cut = [line.rstrip() for line in lines]
    return [line if len(line) <= width else line[: width - 1] + "…" for line in cut]


def _aligned(line: str, side: str, width: int) -> str:
    if side == "center":
        before = (width - len(line)) // 2
        return (" " * before + line).ljust(width)
    return line.rjust(width) if side == "right" else line.ljust(width)


def _row(fields: list[str], sides: list[str], widths: list[int], bar: str) -> str:
    cells = [_wrapped(text, width) for text, width in zip(fields, widths)]
    height = max(map(len, cells))
    if bar == "┃":  # the header stands at the bottom
        cells = [[""] * (height - len(cell)) + cell for cell in cells]
    lines = []
    for i in range(height):
        parts = [
            _aligned(cell[i] if i < len(cell) else "", side, width)
            for cell, side, width in zip(cells, sides, widths)
        ]
        lines.append(f"{bar} " + f" {bar} ".join(parts) + f" {bar}\n")
    return "".join(lines)


def _edge(characters: str, widths: list[int]) -> str:
    left, line, middle, right = tuple(characters)
    return left + middle.join(line * (width + 2) for width in widths) + right + "\n"


def _table(rows: list[list[str]], sides: list[str], widths: list[int]) -> str:
    top, under_header, between, bottom = (_edge(e, widths) for e in _EDGES)
    body = between.join(_row(fields, sides, widths, "│") for fields in rows[1:])
    return top + _row(rows[0], sides, widths, "┃") + under_header + body + bottom


# Totals


def _totals(model: Any) -> str:
    trainable, frozen = model.trainable_weights, model.non_trainable_weights
    optimizer = getattr(model, "optimizer", None)
    built = optimizer is not None and bool(getattr(model, "compiled", False) and optimizer.built)
    state = list(optimizer.variables) if optimizer is not None and built else []
    lines = [
        _total("Total params", [*trainable, *frozen, *state]),
        _total("Trainable params", trainable),
        _total("Non-trainable params", frozen),
    ]
    if built:
        lines.append(_total("Optimizer params", state))
    return "".join(lines)


def _total(name: str, weights: list[Any]) -> str:
    count = sum(math.prod(w.shape) for w in weights)
    size = float(sum(math.prod(w.shape) * w.dtype.itemsize for w in weights))
    units = ["B", "KB", "MB", "GB", "TB", "PB"]
    while size >= 1024 and len(units) > 1:
        size, units = size / 1024, units[1:]
    return f" {name}: {count:,} ({size:.2f} {units[0]})\n"
