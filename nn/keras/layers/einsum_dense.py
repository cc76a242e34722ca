"""EinsumDense: a dense layer whose product is written as an einsum."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from autograd import Tensor
from autograd.op import ops
from nn.keras import activations, regularizers
from nn.keras.initializers import VarianceScaling
from nn.keras.layer import Layer
from nn.keras.layers.base import Activated, described, floating, refuse, resolve_all, weight
from nn.keras.spec import InputSpec, Shape
from nn.keras.variable import Variable


class EinsumDense(Activated, Layer):
    """activation(einsum(equation, x, kernel) + bias): `EinsumDense("ab,bc->ac", 4, bias_axes="c")`.

    `output_shape`: the sizes of the output without the batch, None where they are the input's.
    `bias_axes`: the letters of the output along which the bias varies.  "..." stands for further
    dimensions, before the letters or after them.
    """

    kernel: Variable
    bias: Variable | None

    def __init__(
        self,
        equation: str,
        output_shape: Any,
        activation: Any = None,
        bias_axes: str | None = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        lora_rank: int | None = None,
        lora_alpha: float | None = None,
        gptq_unpacked_column_size: int | None = None,
        quantization_config: Any = None,
        **kwargs: Any,
    ):
        refuse(
            "EinsumDense",
            lora_rank=lora_rank,
            lora_alpha=lora_alpha,
            gptq_unpacked_column_size=gptq_unpacked_column_size,
            quantization_config=quantization_config,
        )
        super().__init__(**kwargs)
        self.equation, self.bias_axes = equation, bias_axes
        one = isinstance(output_shape, int)
        self.partial_output_shape = (output_shape,) if one else tuple(output_shape)
        self.activation = activation
        resolve_all(
            self,
            kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            bias_regularizer=bias_regularizer,
            kernel_constraint=kernel_constraint,
            bias_constraint=bias_constraint,
        )

    def build(self, input_shape: Shape) -> None:
        """Create kernel and bias."""
        found = _Shapes(self.equation, self.bias_axes, input_shape, self.partial_output_shape)
        self.input_spec = InputSpec(ndim=len(input_shape))
        initializer: Any = self.__dict__["kernel_initializer"]
        if isinstance(initializer, VarianceScaling) and initializer.input_axes is None:
            axes: Any = {"input_axes": found.input_axes, "output_axes": found.output_axes}
            initializer = type(initializer).from_config(
                {**initializer.get_config(), "seed": initializer.seed, **axes}
            )
        self.kernel = weight(self, "kernel", found.kernel, initializer)
        self.bias = None if found.bias is None else weight(self, "bias", found.bias)

    def call(self, inputs: Tensor) -> Tensor:
        """Compute activation(einsum(equation, inputs, kernel) + bias)."""
        out = ops.einsum(self.equation, floating(self, inputs), self.kernel)
        if self.bias is not None:
            out = ops.add(out, self.bias)
        activate = self._activate
        return out if activate is None else activate(out)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """The batch, and `output_shape` with the sizes it leaves open."""
        return _Shapes(self.equation, self.bias_axes, input_shape, self.partial_output_shape).output

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "output_shape": self.partial_output_shape,
            "equation": self.equation,
            "activation": activations.serialize(self.activation),
            "bias_axes": self.bias_axes,
            **described(
                self,
                "kernel_initializer",
                "bias_initializer",
                "kernel_regularizer",
                "bias_regularizer",
                "kernel_constraint",
                "bias_constraint",
            ),
            "activity_regularizer": regularizers.serialize(self.activity_regularizer),
            "quantization_config": None,
        }


class _Shapes:
    """The shapes of output, kernel and bias, and which of the kernel's axes are of which side."""

    def __init__(
        self, equation: str, bias_axes: str | None, given: Shape, wanted: Sequence[int | None]
    ):
        match = re.fullmatch(
            r"(\.\.\.)?([a-zA-Z]+)(\.\.\.)?,([a-zA-Z]+)->(\.\.\.)?([a-zA-Z]+)(\.\.\.)?", equation
        )
        left, right = (match[1], match[3]) if match else (None, None)
        if match is None or (left, right) != (match[5], match[7]) or (left and right):
            raise ValueError(
                f"Invalid einsum equation '{equation}'. Equations must be in the form"
                " [X],[Y]->[Z], ...[X],[Y]->...[Z], or [X]...,[Y]->[Z]...."
            )
        x, kernel, out = match[2], match[4], match[6]
        more = len(given) - len(x)
        if more < 0 or (more and not (left or right)):
            raise ValueError(f"'{equation}' does not fit an input of shape {tuple(given)}")
        rest = tuple(given[:more]) if left else tuple(given[len(given) - more :]) if right else ()
        sizes = dict(zip(x, given[more:] if left else given))
        named = tuple(wanted) if left and more else (given[0], *wanted)
        if len(named) != len(out):
            raise ValueError(
                f"'{equation}': output_shape={tuple(wanted)} does not fit the output '{out}'"
            )
        outs = {}
        for letter, size in zip(out, named):
            if letter not in x and letter not in kernel:
                raise ValueError(
                    f"Dimension '{letter}' was specified in the output '{out}' but has no"
                    f" corresponding dim in the input spec '{x}' or weight spec '{kernel}'"
                )
            outs[letter] = sizes.get(letter) if size is None else size
            if letter in x and size is not None and size != sizes[letter]:
                raise ValueError(
                    "Input shape and output shape do not match at shared dimension"
                    f" '{letter}'. Input shape is {sizes[letter]}, and output shape is {size}."
                )
        for letter in kernel:
            if letter not in outs and letter not in sizes:
                raise ValueError(
                    f"Weight dimension '{letter}' did not have a match in either the input spec"
                    f" '{x}' or the output spec '{out}'. For this layer, the weight must be fully"
                    " specified."
                )
        self.kernel = [outs[c] if c in outs else sizes[c] for c in kernel]
        self.output_axes = [i for i, c in enumerate(kernel) if c in outs]
        self.input_axes = [i for i, c in enumerate(kernel) if c not in outs]
        values = tuple(outs[c] for c in out)
        self.output: Shape = (*rest, *values) if left else (*values, *rest)
        self.bias = None
        if bias_axes is not None:
            self.bias = self._bias(bias_axes, out, outs, 0 if left else more)

    @staticmethod
    def _bias(axes: str, out: str, sizes: dict[str, Any], trailing: int) -> list[int]:
        for letter in axes:
            if letter not in out:
                raise ValueError(
                    f"Bias dimension '{letter}' was requested, but is not part of the output spec"
                    f" '{out}'"
                )
        first = min(map(out.find, axes))
        return [sizes[c] if c in axes else 1 for c in out[first:]] + [1] * trailing
