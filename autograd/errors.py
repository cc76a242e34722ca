"""The engine's exceptions.  Each also is the built-in that PyTorch raises at the same place."""

from __future__ import annotations


class ShapeError(ValueError, RuntimeError):
    """Shapes that do not fit; the message names the op, the shapes and what was expected."""


class DtypeError(TypeError, RuntimeError):
    """A dtype that the op does not take."""


class GraphError(RuntimeError):
    """A backward pass that cannot run: freed graph, no graph, or a gradient of the wrong shape."""


class ModifiedError(GraphError):
    """A tensor that the backward pass needs was changed in place after it was saved."""


class AnomalyError(RuntimeError):
    """`detect_anomaly` met the first NaN or inf."""
