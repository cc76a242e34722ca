"""tapegrad's engine: reverse-mode autodiff over NumPy arrays, under PyTorch's names.

>>> import autograd
>>> x = autograd.tensor([1.0, 2.0], requires_grad=True)
>>> (x * x).sum().backward()
>>> x.grad
tensor([2., 4.])
"""

from __future__ import annotations

from importlib import import_module as _import_module
from math import e, inf, nan, pi
from pathlib import Path as _Path
from typing import Any as _Any

from numpy import dtype as _dtype

if _Path(__file__).with_name("numpy").is_dir():
    raise ImportError(
        "this environment holds both tapegrad and HIPS autograd, which share the import name"
        " `autograd`; keep one: `pip uninstall -y autograd tapegrad`, then install the one you want"
    )

from autograd import ops as _families  # noqa: I001 - fills the table
from autograd import trace as _trace
from autograd import interop as _interop, methods as _methods
from autograd.anomaly import detect_anomaly
from autograd.backward import backward as _backward_function, grad
from autograd.checkpoint import checkpoint
from autograd.compiled import RecordError, compile
from autograd.creation import (
    arange,
    as_tensor,
    asarray,
    bernoulli,
    empty,
    empty_like,
    eye,
    from_dlpack,
    from_numpy,
    full,
    full_like,
    is_tensor,
    linspace,
    logspace,
    multinomial,
    normal,
    ones,
    ones_like,
    rand,
    rand_like,
    randint,
    randint_like,
    randn,
    randn_like,
    randperm,
    scalar,
    tensor,
    zeros,
    zeros_like,
)
from autograd.dtypes import bool_, float32, float64, int8, int16, int32, int64, result_type, uint8
from autograd.errors import AnomalyError, DtypeError, GraphError, ModifiedError, ShapeError
from autograd.function import Function
from autograd.functional import hessian, hvp, jacobian, jvp, vhp, vjp
from autograd.generator import (
    Generator,
    default_generator,
    get_rng_state,
    initial_seed,
    manual_seed,
    seed,
    set_rng_state,
)
from autograd.gradcheck import GradcheckError, gradcheck, gradgradcheck
from autograd.machine import (
    Size,
    backends,
    cuda,
    device,
    equal,
    get_default_dtype,
    get_num_threads,
    inference_mode,
    numel,
    set_default_dtype,
    set_num_threads,
    use_deterministic_algorithms,
)
from autograd.modes import enable_grad, is_grad_enabled, no_grad, observe, set_grad_enabled
from autograd.op import FUNCTIONS as _FUNCTIONS, TABLE as _TABLE
from autograd.tensor import Tensor

_ABOVE = {
    "nn": "nn",
    "optim": "optim",
    "utils": "nn.utils",
    "autograd": "autograd",
    "save": "nn.files",
    "load": "nn.files",
}
_LATER = {
    **dict.fromkeys(("draw", "explain", "remember", "stepper"), "autograd.pictures"),
    "why": "autograd.reasons",
    "watch": "autograd.reasons",
    "verify": "autograd.verification",
    "precision": "autograd.digits",
}
"""Tools that a program rarely needs: name -> the module that is imported at first use."""


def __getattr__(name: str) -> _Any:
    """What a script that says `import autograd as torch` finds under `torch`, at first use."""
    if name in _LATER:
        globals()[name] = getattr(_import_module(_LATER[name]), name)
        return globals()[name]
    if name not in _ABOVE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = _import_module(_ABOVE[name])
    globals()[name] = getattr(module, name) if name in ("save", "load") else module
    return globals()[name]


__version__ = "0.1.0"
ENGINE = "tapegrad"

float = float32
double = float64
long = int64
int = int32
bool = bool_
newaxis = None
dtype = _dtype

backward = _backward_function
globals().update({name: _methods.as_function(op) for name, op in _TABLE.items()})
globals().update(_FUNCTIONS)
