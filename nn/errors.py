"""The exceptions of layers."""

from __future__ import annotations


class OptionError(ValueError, AssertionError):
    """An option that makes no sense, where PyTorch has an assertion."""
