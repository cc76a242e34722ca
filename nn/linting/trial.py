"""One trial step, watched, after which model, gradients and random streams are as before."""

from __future__ import annotations

import copy
import random
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from autograd import Tensor, default_generator
from autograd.anomaly import user_line
from autograd.modes import modes, observe
from nn.module import Module


@dataclass
class Event:
    """One op of the trial's forward pass."""

    op: str
    inputs: tuple[Any, ...]
    out: Tensor
    meta: dict[str, Any]
    path: str
    line: str
    loss: bool
    """It ran in the loss function."""


@dataclass
class Trial:
    """What a trial step saw."""

    events: list[Event] = field(default_factory=list)
    makers: dict[int, Event] = field(default_factory=dict)
    """By id of the result; the events keep the results alive."""
    output: Any = None
    loss: Any = None
    grads: dict[str, np.ndarray | None] = field(default_factory=dict)
    error: BaseException | None = None
    stage: str = "forward"
    warned: list[str] = field(default_factory=list)
    why: dict[str, Any] = field(default_factory=dict)

    def maker(self, t: Any) -> Event | None:
        """The op that made a tensor, past reshapes and casts."""
        event = self.makers.get(id(t))
        while event is not None and event.op in _SAME:
            event = self.makers.get(id(event.inputs[0]))
        return event


_SAME = ("reshape", "slice", "transpose", "permute", "cast", "clone", "positive", "broadcast_to")


@contextmanager
def unchanged(*modules: Module) -> Iterator[None]:
    """Put everything back at the end: values, gradients, modes, attributes, random streams."""
    tensors: dict[int, tuple[Tensor, Any, Any, Any, Any, Any]] = {}
    spaces: list[tuple[Module, dict[str, Any], dict[str, Any]]] = []
    for root in modules:
        for m in root.modules():
            inner = {k: dict(v) for k, v in vars(m).items() if type(v) is dict}
            spaces.append((m, dict(vars(m)), inner))
        for t in (*root.parameters(), *root.buffers()):
            g = t._grad
            kept = None if g is None else (g, g.value.copy() if _array(g.value) else g.value)
            value = t.value.copy() if _array(t.value) else t.value
            version = None if t.version is None else t.version[0]
            tensors[id(t)] = t, t.value, value, version, kept, (t.tracked, t.node)
    streams = default_generator.get_state(), np.random.get_state(), random.getstate()  # noqa: NPY002
    try:
        yield
    finally:
        for t, value, copied, version, kept, (tracked, node) in tensors.values():
            t.value = value
            if _array(value):
                np.copyto(value, copied)
                t.version[0] = version
            t.tracked, t.node = tracked, node
            t._grad = None if kept is None else kept[0]
            if kept is not None and _array(kept[1]):
                np.copyto(kept[0].value, kept[1])
        for m, space, inner in spaces:
            vars(m).clear()
            vars(m).update(space)
            for name, content in inner.items():
                vars(m)[name].clear()
                vars(m)[name].update(content)
        default_generator.set_state(streams[0])
        np.random.set_state(streams[1])  # noqa: NPY002
        random.setstate(streams[2])


def _array(value: Any) -> bool:
    return isinstance(value, np.ndarray)


def run(model: Any, loss_fn: Callable[..., Any], inputs: tuple[Any, ...], target: Any) -> Trial:
    """Forward, loss and backward of one batch, inside `unchanged`."""
    trial = Trial()
    stack: list[str] = []
    in_loss = [False]

    def look(op: Any, given: Any, meta: Any, result: Tensor) -> None:
        if modes.node is not None:
            return
        path = stack[-1] if stack else ""
        event = Event(op.name, tuple(given), result, dict(meta), path, user_line(), in_loss[0])
        trial.events.append(event)
        trial.makers[id(result)] = event

    if isinstance(model, Module):
        for name, m in model.named_modules():
            m.register_forward_pre_hook(lambda _m, _a, name=name: stack.append(name), prepend=True)
            m.register_forward_hook(lambda _m, _a, _o: _drop(stack), always_call=True)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            _step(trial, model, loss_fn, inputs, target, look, in_loss)
        except Exception as error:
            trial.error = error
    trial.warned = [str(w.message) for w in caught]
    if isinstance(model, Module):
        trial.grads = {
            name: None if p._grad is None else np.array(p._grad.value)
            for name, p in model.named_parameters()
        }
    return trial


def _drop(stack: list[str]) -> None:
    stack.pop()


def _step(
    trial: Trial, model: Any, loss_fn: Any, inputs: Any, target: Any, look: Any, in_loss: list[bool]
) -> None:
    with observe(look):
        trial.output = model(*inputs)
        trial.stage, in_loss[0] = "loss", True
        trial.loss = loss_fn(trial.output, target)
    trial.stage = "backward"
    if isinstance(trial.loss, Tensor) and trial.loss.requires_grad and trial.loss.numel() == 1:
        for p in model.parameters() if isinstance(model, Module) else ():
            p._grad = None
        trial.loss.backward(retain_graph=True)
    trial.stage = "done"


def twin_step(optimizer: Any, grads: dict[int, Any]) -> list[tuple[Tensor, np.ndarray]] | None:
    """What a step of a copy of the optimizer would add to each parameter; None if it needs more.

    `grads`: by id of the parameter.
    """
    twin = copy.deepcopy(optimizer)
    params = [p for group in optimizer.param_groups for p in group["params"]]
    copies = [p for group in twin.param_groups for p in group["params"]]
    for p, q in zip(params, copies):
        g = grads.get(id(p))
        q._grad = None if g is None else Tensor.wrap(g.astype(p.dtype))
    try:
        twin.step()
    except TypeError:  # it takes a closure
        return None
    return [(p, np.asarray(q.value) - np.asarray(p.value)) for p, q in zip(params, copies)]
