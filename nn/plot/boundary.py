"""Which class a model answers for each point of the plane."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nn.plot.asking import outputs
from nn.plot.canvas import array, axes, colour, legend, matplotlib

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Bounds = tuple[float, float, float, float]
LINE = "#7f8791"


def decision_boundary(
    model: Any,
    x: Any,
    y: Any,
    *,
    bounds: Bounds | None = None,
    threshold: float | None = None,
    resolution: int = 150,
    ax: Axes | None = None,
) -> Axes:
    """Points x (n, 2), coloured by their classes y (n,), over what the model answers around them.

    model: a module, or a function of a tensor (m, 2).  Of k > 1 outputs the largest is the answer.
    One output is a score: the upper class begins at `threshold`, which is 0.5 where all scores lie
    in [0, 1], as probabilities do, and else 0, as for logits; the stronger the colour, the further
    the score is from it.
    bounds: (left, right, bottom, top), by default the points with a margin.
    resolution: points asked per axis.
    """
    points, classes = checked(x, y)
    plane = Plane.around(points, bounds, resolution)
    ax = axes(ax, (4.6, 4.2))
    draw_answers(ax, plane, plane.ask(model), threshold)
    draw_points(ax, points, classes)
    return ax


def checked(x: Any, y: Any) -> tuple[np.ndarray, np.ndarray]:
    """Points (n, 2) and the ranks (n,) of their classes, from 0."""
    points, labels = array(x), array(y).ravel()
    if points.ndim != 2 or points.shape[1] != 2 or not len(points) or len(points) != len(labels):
        raise ValueError(
            f"decision_boundary: x is {points.shape} and y has {len(labels)} classes; expected x"
            " (n, 2) and n classes: with more features there is no plane to draw"
        )
    return points, np.unique(labels, return_inverse=True)[1].reshape(-1)


@dataclass
class Plane:
    """A grid over the plane: `bounds` (left, right, bottom, top), `resolution` points per axis."""

    bounds: Bounds
    resolution: int

    @classmethod
    def around(cls, points: np.ndarray, bounds: Bounds | None, resolution: int) -> Plane:
        """The grid that covers `bounds`, or the points with a margin."""
        if bounds is None:
            low, high = points.min(0), points.max(0)
            margin = 0.25 * np.maximum(high - low, 1e-3)
            (left, bottom), (right, top) = low - margin, high + margin
            bounds = (float(left), float(right), float(bottom), float(top))
        return cls(bounds, resolution)

    def lines(self) -> tuple[np.ndarray, np.ndarray]:
        """The coordinates along both axes."""
        left, right, bottom, top = self.bounds
        return np.linspace(left, right, self.resolution), np.linspace(bottom, top, self.resolution)

    def ask(self, model: Any) -> np.ndarray:
        """Scores (resolution, resolution), or (resolution, resolution, k) of k > 1 outputs."""
        grid = np.stack(np.meshgrid(*self.lines()), -1).reshape(-1, 2).astype(np.float32)
        scores = outputs(model, grid)
        if scores.ndim not in (1, 2) or len(scores) != len(grid):
            raise ValueError(
                f"decision_boundary: the model gave {scores.shape} for inputs {grid.shape};"
                f" expected ({len(grid)},) or ({len(grid)}, k)"
            )
        n = self.resolution
        return scores.reshape(n, n, *((scores.shape[1],) if scores[0].size > 1 else ()))


def line_at(scores: np.ndarray, threshold: float | None) -> float:
    """The threshold, or what the scores suggest: 0.5 for probabilities, 0 for others."""
    if threshold is not None:
        return threshold
    return 0.5 if scores.min() >= 0 and scores.max() <= 1 else 0.0


def draw_answers(
    ax: Axes, plane: Plane, scores: np.ndarray, threshold: float | None, shades: int = 16
) -> list[Any]:
    """Colour the plane by the answers and draw the line between; the artists, to remove them."""
    place: dict[str, Any] = dict(extent=plane.bounds, origin="lower", aspect="auto", zorder=0)
    ax.set_xlim(plane.bounds[:2])
    ax.set_ylim(plane.bounds[2:])
    if scores.ndim == 3:
        answers = scores.argmax(2)
        colours = matplotlib("colors").ListedColormap([colour(i) for i in range(scores.shape[2])])
        top = scores.shape[2] - 0.5
        picture = ax.imshow(answers, cmap=colours, vmin=-0.5, vmax=top, alpha=0.35, **place)
        edges = [a + 0.5 for a in range(scores.shape[2] - 1)]
        return [picture, *_contour(ax, plane, answers.astype(float), edges)]
    line = line_at(scores, threshold)
    span = max(abs(float(scores.min()) - line), abs(float(scores.max()) - line), 1e-12)
    picture = ax.imshow(
        scores, cmap=_two_colours(shades), vmin=line - span, vmax=line + span, **place
    )
    return [picture, *_contour(ax, plane, scores.astype(float), [line])]


def _contour(ax: Axes, plane: Plane, values: np.ndarray, levels: list[float]) -> list[Any]:
    inside = [level for level in levels if values.min() < level < values.max()]
    if not inside:
        return []
    return [ax.contour(*plane.lines(), values, levels=inside, colors=LINE, linewidths=1.8)]


def _two_colours(shades: int) -> Any:
    """From the lower class' colour through nothing to the upper's, so that any background fits."""
    to_rgb = matplotlib("colors").to_rgb
    low, high = to_rgb(colour(0)), to_rgb(colour(1))
    colours = [(*low, 0.55), (*low, 0.15), (*high, 0.15), (*high, 0.55)]
    places = [0.0, 0.499, 0.501, 1.0]
    make = matplotlib("colors").LinearSegmentedColormap.from_list
    return make("two classes", list(zip(places, colours)), N=shades)


def draw_points(ax: Axes, points: np.ndarray, classes: np.ndarray) -> None:
    """Each class in its colour and with its marker, so that colour is not all there is to see."""
    for i in range(int(classes.max()) + 1):
        x, y = points[classes == i].T
        ax.scatter(
            x,
            y,
            s=min(40, max(12, 2000 / len(points))),
            color=colour(i),
            marker="os^Dv<>P"[i % 8],
            edgecolors=ax.get_facecolor(),
            linewidths=0.6 if len(points) < 50 else 0.3,
            label=f"class {i}",
            zorder=3,
        )
    ax.set_xlabel("$x_1$")
    ax.set_ylabel("$x_2$")
    legend(ax, many=99)
