"""Optimizers, under PyTorch's names and with its numerics.

>>> import nn, optim
>>> model = nn.Linear(2, 1)
>>> optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
"""

from optim.adam import Adam, AdamW
from optim.clip import clip_grad_norm_, clip_grad_value_
from optim.optimizer import Optimizer
from optim.sgd import SGD

__all__ = ["SGD", "Adam", "AdamW", "Optimizer", "clip_grad_norm_", "clip_grad_value_"]
