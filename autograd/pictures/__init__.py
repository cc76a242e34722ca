"""The graph made visible: `draw`, `explain`, `stepper`; `remember` for what a graph forgets."""

from autograd.pictures.chain import explain
from autograd.pictures.equations import Explanation
from autograd.pictures.picture import Picture, draw
from autograd.pictures.remember import Memory, remember
from autograd.pictures.stepping import Stepper, stepper
