"""Loaders: ours, or PyTorch's with `--torch`; the same program but for the imports."""

from __future__ import annotations

import functools
import sys
from typing import Any

from benchmarks import workloads
from benchmarks.loader import OPTIONS, epochs, total
from benchmarks.peers import serve

if __name__ == "__main__":
    if "--torch" in sys.argv[1:]:
        import torch as framework
        from torch.utils import data as tools

        name = "torch"
    else:
        import autograd as framework
        from nn.utils import data as tools

        name = "tapegrad"

    def case(name: str, _: Any) -> Any:
        """A function that runs through one epoch."""
        return epochs(tools, framework.from_numpy, name)

    vars(workloads).update(dict.fromkeys(OPTIONS, dict))  # the arrays are kept, not made each time
    cases = {name: functools.partial(case, name) for name in OPTIONS}
    serve(cases, total, {name: framework.__version__})
