"""`nn.summary`: what a model is made of, what it computes and how much, from one dummy run."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np

from autograd import Tensor, as_tensor, dtypes, no_grad, observe, zeros
from autograd.generator import default_generator
from nn.module import Module

Shape = tuple[int, ...]


@dataclass
class LayerSummary:
    """One module.  Numbers are its own: those of modules inside it stand in their rows.

    `output_shape`: of its last call; a tuple of shapes where it returns several tensors, None where
    it was not called.  `tied`: elements of parameters that an earlier row has counted already.
    """

    path: str
    kind: str
    branch: str
    output_shape: Any = None
    parameters: int = 0
    trainable: int = 0
    tied: int = 0
    multiply_adds: int = 0
    activation_bytes: int = 0
    calls: int = 0


@dataclass
class ModelSummary:
    """What `nn.summary` returns; `print` it for a table.

    `layers`: a row per module.  `parameters`, `trainable`, `frozen`: elements, tied ones counted
    once.  `multiply_adds`: of matrix products, for the whole input; what is done per element is not
    counted.  `parameter_bytes`, `buffer_bytes`, `input_bytes`; `activation_bytes`: of all tensors
    that a forward pass in evaluation makes, which is about what backward keeps.
    """

    layers: list[LayerSummary]
    input_shapes: list[Shape]
    parameters: int = 0
    trainable: int = 0
    multiply_adds: int = 0
    parameter_bytes: int = 0
    buffer_bytes: int = 0
    input_bytes: int = 0
    activation_bytes: int = 0

    @property
    def frozen(self) -> int:
        """Elements of parameters that do not require grad."""
        return self.parameters - self.trainable

    def __str__(self) -> str:
        head = ("Layer", "Output shape", "Parameters", "Multiply-adds", "Memory")
        rows = [head, *map(_cells, self.layers)]
        widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
        lines = [
            "  ".join(
                cell.ljust(width) if i < 2 else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(row, widths))
            ).rstrip()
            for row in rows
        ]
        rule = "-" * max(map(len, lines))
        shown = ", ".join(map(str, self.input_shapes))
        return "\n".join(
            [
                lines[0],
                rule,
                *lines[1:],
                rule,
                f"Input {shown}: {_size(self.input_bytes)}",
                f"Parameters: {self.parameters:,} ({self.trainable:,} trainable,"
                f" {self.frozen:,} frozen), {_size(self.parameter_bytes)};"
                f" buffers {_size(self.buffer_bytes)}",
                f"Multiply-adds: {self.multiply_adds:,}",
                f"Activations: {_size(self.activation_bytes)}",
            ]
        )

    __repr__ = __str__


def _cells(row: LayerSummary) -> tuple[str, ...]:
    count = f"{row.parameters:,}" if row.parameters or not row.tied else ""
    if row.tied:
        count += f" ({row.tied:,} tied)" if count else f"({row.tied:,} tied)"
    name = row.path.rpartition(".")[2]
    return (
        row.branch + (f"{name}: " if name else "") + row.kind,
        "not called" if not row.calls else str(row.output_shape),
        "-" if count == "0" else count,
        f"{row.multiply_adds:,}" if row.multiply_adds else "-",
        _size(row.activation_bytes) if row.activation_bytes else "-",
    )


def _size(count: float) -> str:
    units = ["B", "KiB", "MiB", "GiB"]
    while count >= 1024 and len(units) > 1:
        count, units = count / 1024, units[1:]
    return f"{count:,.{0 if units[0] == 'B' else 1}f} {units[0]}"


def summary(
    model: Module, input_shape: Any, batch_size: int | None = None, dtype: Any = None
) -> ModelSummary:
    """Run `model` once, in evaluation, on zeros of `input_shape`; returns a table of its layers.

    `input_shape`: the whole shape, batch included, as in (64, 784); or without it, where
    `batch_size` is given, which is then put in front.  For several inputs a list of shapes, or a
    dict of them by argument name; a tensor or an array in place of a shape is used as it is.
    `dtype`: of the zeros (default: that of the model's parameters), or a list of one per input;
    int64 for an embedding.

    The model is left as it was: its attributes, modes, parameters, buffers, gradients, hooks; and
    so is the default generator.  Only what forward changes inside a list is not undone.
    """
    args, kwargs = _inputs(model, input_shape, batch_size, dtype)
    given = [*args, *kwargs.values()]
    found, rows = _layers(model)
    found.input_shapes = [x.shape for x in given]
    found.input_bytes = sum(x.nbytes for x in given)
    with _as_it_was(model), no_grad():
        model.eval()
        _run(model, args, kwargs, rows)
    found.multiply_adds = sum(row.multiply_adds for row in found.layers)
    found.activation_bytes = sum(row.activation_bytes for row in found.layers)
    return found


# Inputs


def _inputs(
    model: Module, given: Any, batch_size: int | None, dtype: Any
) -> tuple[list[Tensor], dict[str, Tensor]]:
    default = next((p.dtype for p in model.parameters() if p.is_floating_point()), dtypes.float32)
    names = list(given) if isinstance(given, dict) else None
    several = list(given.values()) if isinstance(given, dict) else _several(given)
    kinds = list(dtype) if isinstance(dtype, (list, tuple)) else [dtype] * len(several)
    if len(kinds) != len(several):
        raise ValueError(f"summary: {len(kinds)} dtypes for {len(several)} inputs")
    made = [_input(x, batch_size, kind or default) for x, kind in zip(several, kinds)]
    return (made, {}) if names is None else ([], dict(zip(names, made)))


def _several(given: Any) -> list[Any]:
    """The inputs; a shape or a tensor alone is one."""
    if isinstance(given, (Tensor, np.ndarray)):
        return [given]
    if isinstance(given, (list, tuple)):
        return [tuple(given)] if all(isinstance(n, Integral) for n in given) else list(given)
    raise TypeError(
        f"summary: input_shape is {given!r}; expected a shape such as (64, 784), a list of shapes,"
        " a tensor, or a list of tensors"
    )


def _input(given: Any, batch_size: int | None, dtype: Any) -> Tensor:
    if isinstance(given, (Tensor, np.ndarray)):
        return as_tensor(given)
    if not isinstance(given, (list, tuple)) or not all(isinstance(n, Integral) for n in given):
        raise TypeError(f"summary: {given!r} is no shape; expected integers, as in (64, 784)")
    batch = () if batch_size is None else (batch_size,)
    return zeros((*batch, *given), dtype=dtype)


# Rows and parameters


def _layers(model: Module) -> tuple[ModelSummary, dict[Module, LayerSummary]]:
    found, rows = ModelSummary([], []), {}
    seen: set[Any] = set()
    for path, branch, module in _tree(model):
        row = rows[module] = LayerSummary(path, type(module).__name__, branch)
        found.layers.append(row)
        for p in module._parameters.values():
            if p is None:
                continue
            if p in seen:
                row.tied += p.numel()
                continue
            seen.add(p)
            row.parameters += p.numel()
            row.trainable += p.numel() if p.requires_grad else 0
            found.parameter_bytes += p.nbytes
        for b in module._buffers.values():
            if b is not None and b not in seen:
                seen.add(b)
                found.buffer_bytes += b.nbytes
    found.parameters = sum(row.parameters for row in found.layers)
    found.trainable = sum(row.trainable for row in found.layers)
    return found, rows


def _tree(model: Module) -> Iterator[tuple[str, str, Module]]:
    """Each module once, with its path and the lines that lead to it."""
    seen: set[Module] = set()

    def walk(path: str, lead: str, joint: str, module: Module) -> Iterator[tuple[str, str, Module]]:
        seen.add(module)
        yield path, lead + joint, module
        below = lead + {"": "", "├─ ": "│  ", "└─ ": "   "}[joint]
        children = [(n, m) for n, m in module.named_children() if m not in seen]
        for i, (name, child) in enumerate(children):
            if child not in seen:
                branch = "└─ " if i == len(children) - 1 else "├─ "
                yield from walk(f"{path}.{name}" if path else name, below, branch, child)

    return walk("", "", "", model)


# The run


def _multiply_adds(name: str, inputs: Sequence[Any], meta: dict[str, Any], out: Tensor) -> int:
    """Those of an op; of an einsum of more than two, as if it were done in one loop."""
    if name in ("linear", "matmul", "matmul_nt"):
        return out.numel() * inputs[0].shape[-1]
    if name == "matmul_tn":
        return out.numel() * inputs[0].shape[-2]
    if name == "contract":
        terms = meta["equation"].partition("->")[0].split(",")
        sizes = {c: n for term, x in zip(terms, inputs) for c, n in zip(term, x.shape)}
        return math.prod(sizes.values())
    return 0


def _run(
    model: Module,
    args: list[Tensor],
    kwargs: dict[str, Tensor],
    rows: dict[Module, LayerSummary],
) -> None:
    active: list[tuple[Module, Any]] = []

    def enter(module: Module, given: Any) -> None:
        active.append((module, given))

    def leave(module: Module, given: Any, output: Any) -> None:
        row = rows[module]
        row.calls, row.output_shape = row.calls + 1, _shape(output)
        active.pop()

    def see(op: Any, inputs: Any, meta: dict[str, Any], out: Any) -> None:
        row = rows[active[-1][0] if active else model]
        row.multiply_adds += _multiply_adds(op.name, inputs, meta, out)
        row.activation_bytes += 0 if op.view else out.nbytes

    handles = []
    for module in rows:
        handles.append(module.register_forward_pre_hook(enter, prepend=True))
        handles.append(module.register_forward_hook(leave))
    try:
        with observe(see):
            model(*args, **kwargs)
    except Exception as error:
        if not active:
            raise
        module, given = active[-1]
        row = rows[module]
        raise RuntimeError(
            f"summary: {row.kind} at {row.path or 'the top'!r} failed on input {_shape(given)}:"
            f" {error}"
        ) from error
    finally:
        for handle in handles:
            handle.remove()


def _shape(output: Any) -> Any:
    if isinstance(output, Tensor):
        return output.shape
    if isinstance(output, dict):
        return {key: _shape(value) for key, value in output.items()}
    if isinstance(output, (list, tuple)):
        shapes = tuple(map(_shape, output))
        return shapes[0] if len(shapes) == 1 else shapes
    return type(output).__name__


def _dicts(module: Module) -> list[dict[Any, Any]]:
    """The attributes of a module, and those of them that are dicts: registries, hooks."""
    return [module.__dict__, *(v for v in module.__dict__.values() if isinstance(v, dict))]


@contextmanager
def _as_it_was(model: Module) -> Iterator[None]:
    """Undo what the block does to the model and to the default generator."""
    random = default_generator.get_state()
    dicts = [(d, dict(d)) for module in model.modules() for d in _dicts(module)]
    tensors = {t for m in model.modules() for t in (*m._parameters.values(), *m._buffers.values())}
    values = [(t, t.value, t.array.copy(), t.version[0]) for t in tensors if t is not None]
    try:
        yield
    finally:
        for d, content in dicts:
            d.clear()
            d.update(content)
        for t, value, array, version in values:
            t.value = value
            if t.version[0] != version:
                t.array[...] = array
                t.version[0] = version
        default_generator.set_state(random)
