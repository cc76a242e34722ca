"""`nn.lint`: the mistakes in a training set-up that raise no error, found by one trial step.

`trial` runs the step and puts everything back; `structure`, `behaviour` and `updates` look for
mistakes in what it saw.
"""

from nn.linting.lint import lint
from nn.linting.report import Finding, Report

__all__ = ["Finding", "Report", "lint"]
