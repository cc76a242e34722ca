"""Layers and losses as functions: PyTorch's signatures over the primitives of the op table."""

from nn.functional.layer import *  # noqa: F403
from nn.functional.loss import *  # noqa: F403
