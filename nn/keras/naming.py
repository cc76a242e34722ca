"""Names as Keras makes them, and tables of classes by name."""

from __future__ import annotations

import re
from typing import Any


def to_snake_case(name: str) -> str:
    """`GlorotUniform` as `glorot_uniform`, `ReLU` as `re_lu`, `L1L2` as `l1l2`: as Keras does."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def by_name(*classes: type) -> dict[str, Any]:
    """Each class under its name and under that in snake_case."""
    return {
        **{c.__name__: c for c in classes},
        **{to_snake_case(c.__name__): c for c in classes},
    }
