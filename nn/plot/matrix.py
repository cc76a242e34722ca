"""Which classes a classifier takes for which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nn.plot.canvas import array, axes, colour, matplotlib

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def confusion_matrix(
    y_true: Any,
    y_pred: Any,
    names: Sequence[str] | None = None,
    *,
    normalize: bool = False,
    ax: Axes | None = None,
) -> Axes:
    """Rows are the true classes, columns the answers; the diagonal is what went right.

    y_true (n,) integer classes; y_pred (n,) classes, or (n, k) scores, of which the largest counts.
    names: of the classes, in order.  normalize: shares of each row instead of counts.
    """
    counts = _counts(array(y_true).ravel(), array(y_pred), names)
    rows = counts.sum(1, keepdims=True)
    shares = np.divide(counts, rows, out=np.zeros(counts.shape), where=rows > 0)
    k = len(counts)
    ax = axes(ax, (1.6 + 0.45 * k, 1.2 + 0.45 * k))
    to_rgb = matplotlib("colors").to_rgb
    make = matplotlib("colors").LinearSegmentedColormap.from_list
    shade = make("share", [(*to_rgb(colour(0)), 0.0), (*to_rgb(colour(0)), 1.0)])
    ax.imshow(shares, cmap=shade, vmin=0, vmax=1)
    for i, j in np.ndindex(k, k):
        text = f"{shares[i, j]:.2f}" if normalize else str(counts[i, j])
        weak = counts[i, j] == 0
        ax.text(j, i, text, ha="center", va="center", alpha=0.35 if weak else 1, size=9)
    labels: Any = range(k) if names is None else names
    ax.set_xticks(range(k), labels, rotation=0 if names is None else 45)
    ax.set_yticks(range(k), labels)
    ax.set_xlabel("answer")
    ax.set_ylabel("true class")
    return ax


def _counts(true: np.ndarray, answers: np.ndarray, names: Sequence[str] | None) -> np.ndarray:
    k = answers.shape[1] if answers.ndim == 2 and answers.shape[1] > 1 else 0
    if k:
        answers = answers.argmax(1)
    answers = answers.ravel()
    if true.size != answers.size or not true.size:
        raise ValueError(
            f"confusion_matrix: {true.size} true classes and {answers.size} answers; expected as"
            " many of each, and at least one"
        )
    for what, values in (("y_true", true), ("y_pred", answers)):
        if values.dtype.kind not in "iub" or values.min() < 0:
            raise ValueError(
                f"confusion_matrix: {what} holds {values.dtype} from {values.min()}; expected"
                " classes counted from 0 (round probabilities, take the argmax of one-hot rows)"
            )
    k = max(k, len(names or ()), int(true.max()) + 1, int(answers.max()) + 1)
    if names is not None and len(names) != k:
        raise ValueError(f"confusion_matrix: {len(names)} names for {k} classes")
    table = np.bincount(true.astype(np.int64) * k + answers.astype(np.int64), minlength=k * k)
    return table.reshape(k, k)
