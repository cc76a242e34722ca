"""Compiled steps: record, compare, prune, merge, forward, place, bind, replay."""

from autograd.compiled.errors import RecordError
from autograd.compiled.plan import Plan
from autograd.compiled.step import Step, compile

__all__ = ["Plan", "RecordError", "Step", "compile"]
