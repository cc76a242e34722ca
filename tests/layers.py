"""Every layer as a case that runs on PyTorch and on tapegrad: outputs, gradients, state, repr."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tests.faces import Result, data, fill

Make = Callable[[Any], Any]


def grad(fw: Any) -> Any:
    """The function: PyTorch has it in torch.autograd."""
    return getattr(fw.torch, "autograd", fw.torch).grad


@dataclass(frozen=True)
class Layer:
    """A layer and inputs for it: shapes of random floats, or arrays.

    `calls`: how often it is called, for running statistics.  `modes`: True for training.
    `twice`: its gradient is differentiated too.
    """

    make: Make
    inputs: tuple[Any, ...]
    modes: tuple[bool, ...] = (True,)
    calls: int = 1
    twice: bool = True
    options: dict[str, float] = field(default_factory=dict)

    def tensors(self, fw: Any, call: int = 0, dtype: str = "float64") -> list[Any]:
        made = []
        for i, x in enumerate(self.inputs):
            array = data(*x, seed=10 * call + i, **self.options) if isinstance(x, tuple) else x
            floats = array.dtype.kind == "f"
            t = fw.torch.tensor(array, dtype=getattr(fw.torch, dtype) if floats else None)
            made.append(t.requires_grad_() if floats else t)
        return made

    def run(self, fw: Any) -> Result:
        """What the layer gives, in every mode."""
        module = fill(self.make(fw))
        result: Result = {"repr": repr(module), "keys": list(module.state_dict())}
        for training in self.modes:
            module.train(training)
            mode = "train" if training else "eval"
            for call in range(self.calls):
                result |= self._call(fw, module, f"{mode} {call}", call)
        for name, buffer in module.named_buffers():
            result[name] = buffer.clone()
        return result

    def _call(self, fw: Any, module: Any, label: str, call: int) -> Result:
        tensors = self.tensors(fw, call)
        out = module(*tensors)
        weights = fw.torch.tensor(data(*out.shape, seed=99))
        params = [p for p in module.parameters() if p.requires_grad]
        wanted = [t for t in tensors if t.requires_grad] + params
        result: Result = {f"{label} out": out.detach()}
        if wanted:
            loss = (out * weights).sum()
            grads = grad(fw)(loss, wanted, create_graph=self.twice)
            result |= {f"{label} gradient {i}": g.detach() for i, g in enumerate(grads)}
            if self.twice:
                curved = [g for g in grads if g.requires_grad]
                norm = sum((g * g).sum() for g in curved)
                second = grad(fw)(norm, wanted, allow_unused=True) if curved else (None,) * 9
                for i, (g, t) in enumerate(zip(second, wanted)):
                    g = fw.torch.zeros_like(t) if g is None else g
                    result[f"{label} second {i}"] = g.detach()
        return result


def _plain(name: str, *options: Any, **named: Any) -> Layer:
    return Layer(lambda fw: getattr(fw.nn, name)(*options, **named), ((3, 4),))


INDEX = np.array([[1, 4, 1], [0, 2, 4]])

LAYERS: dict[str, Layer] = {
    **{
        name: _plain(name)
        for name in (
            *("ReLU", "ReLU6", "SELU", "SiLU", "Mish", "Hardswish", "LeakyReLU"),
            *("ELU", "CELU", "Hardtanh", "Sigmoid", "LogSigmoid", "Tanh", "Tanhshrink"),
            *("Softsign", "Softplus", "Softshrink", "Hardshrink", "GELU", "PReLU", "GLU"),
            "Identity",
        )
    },
    "ReLU(inplace)": Layer(
        lambda fw: fw.nn.Sequential(fw.nn.LeakyReLU(), fw.nn.ReLU(True)), ((3, 4),)
    ),
    # PyTorch has no second derivative of it
    "Hardsigmoid": Layer(lambda fw: fw.nn.Hardsigmoid(), ((3, 4),), twice=False),
    "LeakyReLU(0.3)": _plain("LeakyReLU", 0.3),
    "ELU(2)": _plain("ELU", 2.0),
    "CELU(0.5)": _plain("CELU", 0.5),
    "Hardtanh(-0.5, 1.5)": _plain("Hardtanh", -0.5, 1.5),
    "Softplus(2, 1)": _plain("Softplus", 2.0, 1.0),
    "Softshrink(0.1)": _plain("Softshrink", 0.1),
    "Threshold": _plain("Threshold", 0.1, 20.0),
    "GELU(tanh)": _plain("GELU", approximate="tanh"),
    "PReLU(3)": Layer(lambda fw: fw.nn.PReLU(3, 0.1), ((2, 3, 2, 2),)),
    "RReLU(eval)": Layer(lambda fw: fw.nn.RReLU(), ((3, 4),), modes=(False,)),
    "Softmax": _plain("Softmax", 1),
    "Softmax(0)": _plain("Softmax", dim=0),
    "LogSoftmax": _plain("LogSoftmax", -1),
    "Softmin": _plain("Softmin", 1),
    "Softmax2d": Layer(lambda fw: fw.nn.Softmax2d(), ((2, 3, 2, 2),)),
    "GLU(0)": Layer(lambda fw: fw.nn.GLU(0), ((4, 3),)),
    "Linear": Layer(lambda fw: fw.nn.Linear(4, 3), ((5, 4),)),
    "Linear(no bias)": Layer(lambda fw: fw.nn.Linear(4, 3, bias=False), ((2, 2, 4),)),
    "Linear(vector)": Layer(lambda fw: fw.nn.Linear(4, 3), ((4,),)),
    "Bilinear": Layer(lambda fw: fw.nn.Bilinear(3, 4, 2), ((5, 3), (5, 4))),
    "Bilinear(no bias)": Layer(lambda fw: fw.nn.Bilinear(3, 4, 2, False), ((2, 2, 3), (2, 2, 4))),
    "Flatten": Layer(lambda fw: fw.nn.Flatten(), ((2, 3, 4),)),
    "Flatten(0, 1)": Layer(lambda fw: fw.nn.Flatten(0, 1), ((2, 3, 4),)),
    "Unflatten": Layer(lambda fw: fw.nn.Unflatten(1, (2, -1)), ((2, 6, 2),)),
    "Dropout(eval)": Layer(lambda fw: fw.nn.Dropout(0.3), ((3, 4),), modes=(False,)),
    "Dropout(1)": Layer(lambda fw: fw.nn.Dropout(1.0), ((3, 4),)),
    "AlphaDropout(eval)": Layer(lambda fw: fw.nn.AlphaDropout(0.3), ((3, 4),), modes=(False,)),
    "AlphaDropout(1)": Layer(lambda fw: fw.nn.AlphaDropout(1.0), ((3, 4),)),
    "CosineSimilarity": Layer(lambda fw: fw.nn.CosineSimilarity(), ((3, 4), (3, 4))),
    "PairwiseDistance": Layer(lambda fw: fw.nn.PairwiseDistance(3.0, 1e-3, True), ((3, 4), (3, 4))),
    "Embedding": Layer(lambda fw: fw.nn.Embedding(5, 3), (INDEX,)),
    "Embedding(int32)": Layer(lambda fw: fw.nn.Embedding(5, 3), (INDEX.astype(np.int32),)),
    "Embedding(padding)": Layer(lambda fw: fw.nn.Embedding(5, 3, padding_idx=-1), (INDEX,)),
    "Embedding(by count)": Layer(
        lambda fw: fw.nn.Embedding(5, 3, padding_idx=0, scale_grad_by_freq=True),
        (INDEX,),
        twice=False,
    ),
    "Embedding(max_norm)": Layer(
        lambda fw: fw.nn.Embedding(5, 3, max_norm=0.3, norm_type=1.5), (INDEX,), twice=False
    ),
}

BOTH = (True, False)
NORMS: dict[str, Layer] = {
    "BatchNorm1d": Layer(lambda fw: fw.nn.BatchNorm1d(3), ((5, 3),), BOTH, 2),
    "BatchNorm1d(length)": Layer(lambda fw: fw.nn.BatchNorm1d(3), ((2, 3, 4),), BOTH, 2),
    "BatchNorm1d(cumulative)": Layer(
        lambda fw: fw.nn.BatchNorm1d(3, eps=0.1, momentum=None), ((5, 3),), BOTH, 3
    ),
    "BatchNorm1d(no affine)": Layer(
        lambda fw: fw.nn.BatchNorm1d(3, momentum=0.5, affine=False), ((5, 3),), BOTH, 2
    ),
    "BatchNorm1d(no bias)": Layer(lambda fw: fw.nn.BatchNorm1d(3, bias=False), ((5, 3),), BOTH),
    "BatchNorm1d(no stats)": Layer(
        lambda fw: fw.nn.BatchNorm1d(3, track_running_stats=False), ((5, 3),), BOTH
    ),
    "BatchNorm2d": Layer(lambda fw: fw.nn.BatchNorm2d(2), ((2, 2, 3, 2),), BOTH, 2),
    "BatchNorm2d(large)": Layer(lambda fw: fw.nn.BatchNorm2d(2), ((2, 2, 7, 7),), twice=False),
    "LayerNorm": Layer(lambda fw: fw.nn.LayerNorm(4), ((3, 4),)),
    "LayerNorm(two)": Layer(lambda fw: fw.nn.LayerNorm((3, 4), eps=0.1), ((2, 3, 4),)),
    "LayerNorm(no bias)": Layer(lambda fw: fw.nn.LayerNorm(4, bias=False), ((2, 3, 4),)),
    "LayerNorm(no affine)": Layer(
        lambda fw: fw.nn.LayerNorm([4], elementwise_affine=False), ((3, 4),)
    ),
    "LayerNorm(wide)": Layer(lambda fw: fw.nn.LayerNorm(40), ((2, 40),), twice=False),
    "RMSNorm": Layer(lambda fw: fw.nn.RMSNorm(4), ((3, 4),)),
    "RMSNorm(two)": Layer(lambda fw: fw.nn.RMSNorm((3, 4), eps=0.1), ((2, 3, 4),)),
    "RMSNorm(no affine)": Layer(lambda fw: fw.nn.RMSNorm(4, elementwise_affine=False), ((3, 4),)),
    "GroupNorm": Layer(lambda fw: fw.nn.GroupNorm(2, 4), ((2, 4, 3),)),
    "GroupNorm(vectors)": Layer(lambda fw: fw.nn.GroupNorm(2, 6, eps=0.1), ((3, 6),)),
    "GroupNorm(images)": Layer(lambda fw: fw.nn.GroupNorm(4, 4, bias=False), ((2, 4, 2, 3),)),
    "GroupNorm(no affine)": Layer(lambda fw: fw.nn.GroupNorm(1, 4, affine=False), ((2, 4, 3),)),
}
ALL = LAYERS | NORMS
