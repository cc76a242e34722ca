"""The graph made visible: `draw`, `explain`, `stepper`; `remember` for what a graph forgets."""

from autograd.pictures.chain import Explanation, explain
from autograd.pictures.picture import Picture, draw
from autograd.pictures.remember import Memory, remember
from autograd.pictures.stepping import Stepper, stepper
