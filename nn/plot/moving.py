"""Moving pictures: how the boundary of a model wandered while it was trained."""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from autograd import Tensor, no_grad
from nn.module import Module
from nn.plot.boundary import Bounds, Plane, checked, draw_answers, draw_points, line_at
from nn.plot.canvas import axes, matplotlib

if TYPE_CHECKING:
    from matplotlib.animation import FuncAnimation
    from matplotlib.axes import Axes

State = dict[str, Tensor]


def snapshot(model: Module) -> State:
    """A copy of the model's state, for a list that `animate_boundary` then shows."""
    with no_grad():
        return {name: value.detach().clone() for name, value in model.state_dict().items()}


def animate_boundary(
    model: Module,
    states: Sequence[State],
    x: Any,
    y: Any,
    *,
    titles: Sequence[str] | None = None,
    bounds: Bounds | None = None,
    threshold: float | None = None,
    resolution: int = 80,
    interval: int = 120,
    ax: Axes | None = None,
) -> FuncAnimation:
    """The decision boundary with each of the `states` in turn: see `snapshot`, `decision_boundary`.

    titles: one per state, by default their numbers.  interval: milliseconds per state.
    The model has its own state again when this returns: the answers are computed at once.
    Keep the animation as long as it is to run: matplotlib does not.  `Gif` makes it a file.
    """
    if not states or (titles is not None and len(titles) != len(states)):
        given = "none" if titles is None else str(len(titles))
        raise ValueError(
            f"animate_boundary: {len(states)} states and {given} titles; expected one or more"
            " states, and as many titles"
        )
    points, classes = checked(x, y)
    plane = Plane.around(points, bounds, resolution)
    scores = _ask_each(model, states, plane)
    if scores[0].ndim == 2:
        threshold = line_at(np.stack(scores), threshold)  # one for all, not one per picture
    ax = axes(ax, (4.2, 4.0))
    draw_points(ax, points, classes)
    drawn: list[Any] = []

    def show(i: int) -> list[Any]:
        for artist in drawn:
            artist.remove()
        drawn[:] = draw_answers(ax, plane, scores[i], threshold, shades=10)
        ax.set_title(str(i) if titles is None else titles[i])
        return drawn

    animation = matplotlib("animation").FuncAnimation
    return animation(
        ax.figure, show, frames=len(states), init_func=list, interval=interval, blit=False
    )


def _ask_each(model: Module, states: Sequence[State], plane: Plane) -> list[np.ndarray]:
    own = snapshot(model)
    try:
        found = []
        for state in states:
            model.load_state_dict(state)
            found.append(plane.ask(model))
        return found
    finally:
        model.load_state_dict(own)


class Gif:
    """An animation as a GIF: a file by `save(path)`, and a moving picture in Jupyter.

    It draws every frame at once, then closes the animation's figure.  `data`: the bytes.
    """

    def __init__(self, animation: FuncAnimation, *, fps: int = 8, dpi: int = 72):
        writer = matplotlib("animation").PillowWriter(fps=fps)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "animation.gif"
            animation.save(path, writer=writer, dpi=dpi)
            self.data = path.read_bytes()
        matplotlib().close(animation._fig)  # type: ignore[attr-defined, unused-ignore]

    def save(self, path: str | Path) -> None:
        """Write the file."""
        Path(path).write_bytes(self.data)

    def _repr_html_(self) -> str:
        text = base64.b64encode(self.data).decode()
        return f'<img alt="animation" src="data:image/gif;base64,{text}">'
