"""A line search for the strong Wolfe conditions (Nocedal & Wright 2006, algorithms 3.5 and 3.6)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

SUFFICIENT, FLAT = 1e-4, 0.9
"""f must fall by SUFFICIENT of what the slope promises, and the slope to FLAT of what it was."""


class Point(NamedTuple):
    """What is known at x + t d: the function's value, its gradient, and slope = gradient . d."""

    t: float
    f: float
    gradient: np.ndarray
    slope: float


Evaluate = Callable[[float], Point]


def cubic_minimum(a: Point, b: Point, low: float, high: float) -> float:
    """Where the cubic through two values and slopes is least, within [low, high].

    Its middle if there is no minimum.  (Nocedal & Wright, equation 3.59.)
    """
    if a.t > b.t:
        a, b = b, a
    with np.errstate(all="ignore"):
        d1 = a.slope + b.slope - 3 * np.float64(a.f - b.f) / (a.t - b.t)
        square = d1**2 - a.slope * b.slope
        if not square >= 0:
            return (low + high) / 2
        d2 = np.sqrt(square)
        t = float(b.t - (b.t - a.t) * ((b.slope + d2 - d1) / (b.slope - a.slope + 2 * d2)))
    return min(max(t, low), high)


def strong_wolfe(
    evaluate: Evaluate, start: Point, t: float, longest: float, tolerance: float, tries: int
) -> tuple[Point, int]:
    """A point that satisfies both conditions, or the best found; and how many were evaluated.

    `start`: at t = 0; `t`: the first to try; `longest`: max |d|; a bracket narrower than
    `tolerance` in x is given up.
    """
    points, made = _bracket(evaluate, start, t, tries)
    if len(points) == 1:
        return points[0], made + 1
    if made == tries:
        return points[_lower(points)], made + 1
    best, made = _zoom(evaluate, start, points, (longest, tolerance), made, tries)
    return best, made + 1


def _lower(points: list[Point]) -> int:
    return 0 if points[0].f <= points[1].f else 1


def _too_high(start: Point, point: Point) -> bool:
    return point.f > start.f + SUFFICIENT * point.t * start.slope


def _flat(start: Point, point: Point) -> bool:
    return abs(point.slope) <= -FLAT * start.slope


def _bracket(evaluate: Evaluate, start: Point, t: float, tries: int) -> tuple[list[Point], int]:
    """Go on, further and further, until a minimum lies between two points, or one will do."""
    before, point = start, evaluate(t)
    for made in range(tries):
        if _too_high(start, point) or (made > 1 and point.f >= before.f):
            return [before, point], made
        if _flat(start, point):
            return [point], made
        if point.slope >= 0:
            return [before, point], made
        least, most = point.t + 0.01 * (point.t - before.t), point.t * 10
        t = cubic_minimum(before, point, least, most)
        before, point = point, evaluate(t)
    return [start, point], tries


def _zoom(
    evaluate: Evaluate,
    start: Point,
    points: list[Point],
    scale: tuple[float, float],
    made: int,
    tries: int,
) -> tuple[Point, int]:
    """Narrow a bracket until its better end satisfies both conditions."""
    longest, tolerance = scale
    stalled = False
    low = _lower(points)
    while made < tries and not abs(points[1].t - points[0].t) * longest < tolerance:
        t, stalled = _inside(points, stalled)
        point = evaluate(t)
        made += 1
        if _too_high(start, point) or point.f >= points[low].f:
            points[1 - low] = point
            low = _lower(points)
            continue
        flat = _flat(start, point)
        if not flat and point.slope * (points[1 - low].t - points[low].t) >= 0:
            points[1 - low] = points[low]
        points[low] = point
        if flat:
            break
    return points[low], made


def _inside(points: list[Point], stalled: bool) -> tuple[float, bool]:
    """The cubic's minimum, kept a tenth of the width from an end at the second try near one.

    Returns it, and whether it is such a first try.
    """
    left, right = min(p.t for p in points), max(p.t for p in points)
    t = cubic_minimum(points[0], points[1], left, right)
    margin = 0.1 * (right - left)
    if not min(right - t, t - left) < margin:
        return t, False
    if not (stalled or t >= right or t <= left):
        return t, True
    return (right - margin if abs(t - right) < abs(t - left) else left + margin), False
