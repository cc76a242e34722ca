"""Learning rate schedules, under PyTorch's names and with its numbers.

>>> import autograd, optim
>>> optimizer = optim.SGD([autograd.zeros(1, requires_grad=True)], lr=1.0)
>>> scheduler = optim.lr_scheduler.StepLR(optimizer, step_size=2, gamma=0.1)
>>> for epoch in range(4):
...     optimizer.step()  # the training of an epoch
...     scheduler.step()
>>> [round(lr, 4) for lr in scheduler.get_last_lr()]
[0.01]
"""

from optim.lr_scheduler.base import LRScheduler
from optim.lr_scheduler.compose import ChainedScheduler, SequentialLR, warmup
from optim.lr_scheduler.cycles import CosineAnnealingWarmRestarts, CyclicLR, OneCycleLR
from optim.lr_scheduler.factors import (
    ConstantLR,
    CosineAnnealingLR,
    ExponentialLR,
    LambdaLR,
    LinearLR,
    MultiplicativeLR,
    MultiStepLR,
    PolynomialLR,
    StepLR,
)
from optim.lr_scheduler.plateau import ReduceLROnPlateau

_LRScheduler = LRScheduler

__all__ = [
    "ChainedScheduler",
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "CyclicLR",
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "MultiplicativeLR",
    "OneCycleLR",
    "PolynomialLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
    "warmup",
]
