"""Rounding to whole numbers: flat between the jumps."""

from __future__ import annotations

import numpy as np

from autograd import dtypes, moves
from autograd.kernel import kernel
from autograd.op import Sample, op, ops, quiet

_JUMPS = (-2.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0)  # where roundings jump
_BETWEEN = (Sample((3, 4), avoid=_JUMPS), Sample((), avoid=_JUMPS), Sample((2, 0)))

floor = op(
    "floor",
    math=r"\lfloor x \rfloor",
    dmath=(r"0",),
    kernel=np.floor,
    ref=lambda x: np.floor(x),
    vjp=(lambda g: ops.flat_grad(g),),
    kink="Zero everywhere, also at the jumps.",
    samples=_BETWEEN,
    methods=("floor", "__floor__"),
    numpy=(np.floor,),
)

ceil = op(
    "ceil",
    math=r"\lceil x \rceil",
    dmath=(r"0",),
    kernel=np.ceil,
    ref=lambda x: np.ceil(x),
    vjp=(lambda g: ops.flat_grad(g),),
    kink="Zero everywhere, also at the jumps.",
    samples=_BETWEEN,
    methods=("ceil", "__ceil__"),
    numpy=(np.ceil,),
)

trunc = op(
    "trunc",
    math=r"\operatorname{trunc}(x)",
    dmath=(r"0",),
    kernel=np.trunc,
    ref=lambda x: np.trunc(x),
    vjp=(lambda g: ops.flat_grad(g),),
    kink="Zero everywhere, also at the jumps.",
    samples=_BETWEEN,
    methods=("trunc", "fix", "__trunc__"),
    numpy=(np.trunc,),
)


def _round(out: np.ndarray, x: np.ndarray, *, decimals: int) -> None:
    """As np.round: scaled by a power of ten, made whole, and scaled back."""
    if x.dtype.kind != "f" and decimals >= 0:
        moves.copy(out, x)
        return
    if not decimals:
        quiet.run(np.rint, x, out)
        return
    scaled = moves.converted(x, dtypes.float64) if x.dtype.kind != "f" else x
    room = np.empty(scaled.shape, scaled.dtype)
    power = 10.0 ** abs(decimals)
    forth, back = (np.multiply, np.true_divide) if decimals > 0 else (np.true_divide, np.multiply)
    quiet.run(forth, scaled, power, room)
    quiet.run(np.rint, room, room)
    quiet.run(back, room, power, room)
    moves.convert(out, room)


round_ = op(
    "round",
    math=r"\operatorname{round}(x)",
    dmath=(r"0",),
    kernel=_round,
    shape=lambda x, *, decimals: x,
    ref=lambda x, *, decimals=0: np.round(x, decimals),
    vjp=(lambda g: ops.flat_grad(g),),
    kink="Zero everywhere, also at the jumps; halves round to even.",
    samples=(*_BETWEEN, Sample(np.array([1.234, -5.678]), meta={"decimals": 2})),
    methods=("round", "__round__"),
    numpy=(np.round,),
)


@kernel
def _frac(out, x):
    for i in range(x.size):
        out[i] = x[i] - np.trunc(x[i])


frac = op(
    "frac",
    math=r"x - \operatorname{trunc}(x)",
    dmath=(r"g",),
    kernel=_frac,
    ref=lambda x: x - np.trunc(x),
    vjp=(lambda g: g,),
    kink="1 everywhere, also at the jumps.",
    samples=_BETWEEN,
)
