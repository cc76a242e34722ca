"""What `why` returns: an explanation to read, with fields for programs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Stats:
    """The numbers of a gradient that say how it is; `size` 0 where there is none."""

    shape: tuple[int, ...]
    size: int
    zeros: int
    nans: int
    infs: int
    largest: float
    """The largest finite magnitude."""
    rms: float
    """Root of the mean square of what is finite."""

    @property
    def finite(self) -> bool:
        """No NaN and no infinity."""
        return not (self.nans or self.infs)

    @property
    def zero(self) -> bool:
        """All of it is exactly 0."""
        return self.size > 0 and self.zeros == self.size

    def __str__(self) -> str:
        bad = [f"{n} {kind}" for n, kind in ((self.nans, "NaN"), (self.infs, "infinite")) if n]
        shown = f"shape {self.shape}, max|g| = {self.largest:.3g}, {self.zeros} of {self.size} zero"
        return ", ".join([shown, *bad])


def stats(value: Any) -> Stats:
    """The statistics of an array or a number."""
    values = np.asarray(value)
    nans, infs = int(np.isnan(values).sum()), int(np.isinf(values).sum())
    finite = values if not (nans or infs) else values[np.isfinite(values)]
    largest = float(np.abs(finite).max()) if finite.size else 0.0
    # scaled by the largest: squares of 1e-30 are zero in float32
    rms = largest * float(np.sqrt(np.mean(np.square(finite / largest)))) if largest else 0.0
    zeros = int(values.size - np.count_nonzero(values))
    return Stats(values.shape, values.size, zeros, nans, infs, largest, rms)


@dataclass(frozen=True)
class Cause:
    """What one op did to a gradient: a key for programs, a sentence, and what to do about it."""

    key: str
    text: str
    remedy: str
    numbers: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """The explanation of a gradient; `str` of it is to be read, the fields are for programs.

    `kind`: "none", "nan", "inf", "zero", "partly zero", "tiny", "huge", "healthy".  `cause`: a
    short key such as "dead_relu" or "detached".  `op`, `line`: where, None where that is not known.
    `numbers`: the evidence.  `chain`: the ops between loss and tensor, each as (op, line, factor by
    which it changed the root mean square of the gradient).  `unknown`: what cannot be said.
    """

    kind: str
    cause: str
    text: str
    remedy: str = ""
    op: str | None = None
    line: str | None = None
    numbers: dict[str, float] = field(default_factory=dict)
    chain: tuple[tuple[str, str | None, float], ...] = ()
    others: tuple[Cause, ...] = ()
    unknown: str = ""

    def __str__(self) -> str:
        lines = [self.text]
        if self.line:
            lines.append(f"  at: {self.line}")
        lines += [f"  also: {other.text}" for other in self.others]
        if self.chain and self.kind in ("zero", "tiny", "huge"):
            lines.append(f"  from the loss back: {_shown(self.chain)}")
        if self.remedy:
            lines.append(f"  remedy: {self.remedy}")
        if self.unknown:
            lines.append(f"  not known: {self.unknown}")
        return "\n".join(lines)

    __repr__ = __str__


def _shown(chain: tuple[tuple[str, str | None, float], ...], most: int = 12) -> str:
    """`mean x0.1, relu x0.7, ...`, the middle left out of a long one."""
    parts = [f"{op} x{factor:.2g}" for op, _, factor in chain]
    if len(parts) > most:
        half = most // 2
        parts = [*parts[:half], f"... {len(parts) - most} more ...", *parts[-half:]]
    return ", ".join(parts)
