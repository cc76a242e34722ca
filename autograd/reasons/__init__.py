"""Why a gradient is what it is: `autograd.why(t)`, and `autograd.watch()`, which lets it know all.

`trail` follows a gradient from the loss back, op by op; `causes` names what an op did to it;
`missing` explains one that is not there; `watching` notes at run time what a graph does not keep.
"""

from autograd.reasons.answer import Answer
from autograd.reasons.asking import why
from autograd.reasons.watching import watch

__all__ = ["Answer", "watch", "why"]
