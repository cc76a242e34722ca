"""Calling a layer: inputs made tensors and checked, the layer built, `training` and masks resolved.

The common call (one tensor of a shape met before, no hook, mask or loss to take care of) passes a
few comparisons on its way to `call`, about 0.6 us; everything else goes through `_call_in_full`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from autograd import Tensor, as_tensor, dtypes
from nn.keras import spec as specs
from nn.keras.context import _context
from nn.keras.errors import explained
from nn.keras.layer_config import Described
from nn.keras.marks import get_mask, set_mask
from nn.keras.node import KerasTensor, Node, any_symbolic, leaves, mapped
from nn.keras.signature import CallSignature

_ndarray = np.ndarray
_CHECKED = ("activity_regularizer", "autocast", "input_spec", "supports_masking")
"""Attributes on which the way of a call depends."""
_TRAINING = frozenset(("training",))
_MOST = 64
"""Input shapes that a layer remembers to have accepted."""


class Calling(Described):
    """The part of Layer that is called."""

    input_spec: Any
    call: Callable[..., Any]
    compute_output_spec: Callable[..., Any]
    autocast: bool
    supports_masking: bool
    _signature: CallSignature
    _dtype: np.dtype
    _losses: list[Tensor]
    _lossy: list[Any]
    _build_for: Callable[..., None]
    _in_scope: Callable[..., Any]
    _clear_losses: Callable[[], None]
    add_loss: Callable[[Any], None]
    _accepted: set[tuple[int, ...]]
    """Shapes of single inputs that passed all checks; empty where a call has more to do."""
    _any_positional = False
    """Positional arguments may be other things than tensors."""
    _explicit_masks = True
    """Masks are resolved by the layer; models leave that to the layers inside."""

    def _ready_to_call(self, autocast: bool) -> None:
        self.__dict__.update(
            autocast=autocast,
            _accepted=set(),
            _losses=[],
            _lossy=[],  # layers that told their losses to this one, as the outermost
            _inbound_nodes=[],
        )

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name in _CHECKED and "_accepted" in self.__dict__:
            self._accepted.clear()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run `call` on arrays, tensors or symbolic tensors; build the layer if it is not yet."""
        if len(args) == 1 and type(x := args[0]) is Tensor:
            own = self.__dict__
            value = x.value
            if (
                type(value) is _ndarray
                and value.shape in own["_accepted"]
                and value.dtype is own["_dtype"]
                and (x.extra is None or "keras_mask" not in x.extra)  # logits do not matter here
                and not own["_forward_hooks"]
                and not own["_forward_pre_hooks"]
                and not own["_backward_hooks"]
                and not own["_backward_pre_hooks"]
            ):
                try:
                    if own["_modules"] or kwargs:
                        if kwargs.keys() <= _TRAINING:
                            return self._call_quickly(x, kwargs.get("training"))
                    elif not self._signature.training:
                        return self.call(x)
                    else:
                        training = _context.training
                        return self.call(
                            x, training=self._default() if training is None else training
                        )
                except Exception as error:
                    raise explained(error, self, args, kwargs) from None
        return self._call_in_full(args, kwargs)

    def _call_quickly(self, x: Tensor, training: Any) -> Any:
        """The short way of a layer that has others inside, or is told `training`."""
        context = _context
        entry, before = context.entry, context.training
        if training is None:
            training = self._default() if before is None else before
        elif isinstance(training, Tensor):
            training = bool(training.item())
        if entry is None:
            context.entry = self
        context.training = training
        try:
            return self.call(x, training=training) if self._signature.training else self.call(x)
        finally:
            context.entry, context.training = entry, before

    def _call_in_full(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if "_accepted" not in self.__dict__:
            raise RuntimeError(
                f"In layer {type(self).__name__}, you forgot to call `super().__init__()` as the"
                " first statement in the `__init__()` method. Go add it!"
            )
        if not args and not kwargs:
            raise ValueError(f"layer '{self.name}' was called without an input")
        args = tuple([self._converted(x) for x in args])
        if kwargs:
            kwargs = {k: self._converted(v) for k, v in kwargs.items()}
        first = args[0] if args else next(iter(kwargs.values()))
        specs.check(self.input_spec, first, self.name)
        if type(first) is not Tensor or len(args) > 1 or len(kwargs) > ("training" in kwargs):
            if any_symbolic((args, kwargs)):
                return self._call_symbolically(args, kwargs)
            self._check_positional(args)
        if self.built:
            result = self._call_now(first, args, kwargs)
        else:
            self._build_for(args, kwargs)
            specs.check(self.input_spec, first, self.name)
            with self._in_scope():  # what `call` itself builds has its path below this layer's
                result = self._call_now(first, args, kwargs)
            self.__dict__["_locked"] = True
        if type(first) is Tensor:
            self._remember(first)
        return result

    def _remember(self, x: Tensor) -> None:
        """Let the next call with such an input take the short way."""
        if (
            self.activity_regularizer is not None
            or self._lossy
            or self._has_plain_modules
            or (self.supports_masking and self._masks_itself)
        ):
            return
        if len(self._accepted) >= _MOST:
            self._accepted.clear()
        self._accepted.add(x.shape)

    def _forget(self) -> None:
        """Let no call take the short way until one went the long way again."""
        self._accepted.clear()

    # Inputs

    def _converted(self, tree: Any) -> Any:
        """Arrays as tensors, and floats in the dtype that the layer computes in."""
        kind = type(tree)
        if kind is tuple or kind is list or kind is dict:
            return mapped(tree, self._converted_leaf)
        return self._converted_leaf(tree)

    def _converted_leaf(self, x: Any) -> Any:
        if isinstance(x, Tensor):
            if self.autocast and x.dtype is not self._dtype and x.dtype.kind == "f":
                return x.to(self._dtype)
            return x
        if isinstance(x, (_ndarray, np.generic)):
            if x.dtype.kind not in "biuf":
                raise TypeError(
                    f"layer '{self.name}': an input of dtype {x.dtype}; the engine computes with"
                    " numbers: encode text and objects before, e.g. as integers"
                )
            if x.dtype.kind == "f" and self.autocast:
                return as_tensor(x.astype(self._dtype, copy=False))
            return as_tensor(x if x.dtype in dtypes.SUPPORTED else x.astype(_nearest(x.dtype)))
        if hasattr(x, "__array__") and not isinstance(x, KerasTensor):
            return self._converted_leaf(np.asarray(x))
        return x

    def _check_positional(self, args: tuple[Any, ...]) -> None:
        if self._any_positional:
            return
        for x in leaves(args):
            if not isinstance(x, Tensor) and x is not None:
                raise ValueError(
                    f"layer '{self.name}': Only input tensors may be passed as positional"
                    " arguments. The following argument value should be passed as a keyword"
                    f" argument: {x} (of type {type(x)}); lists of numbers become an input with"
                    " np.array(...)"
                )

    # The call itself

    def _call_now(self, first: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        context = _context
        entry, before = context.entry, context.training
        if entry is None:
            context.entry = self
            if self._lossy:
                self._clear_losses()
        try:
            masks = self._masks_of(first) if self._explicit_masks else None
            if masks is not None and "mask" in self._signature.names and "mask" not in kwargs:
                kwargs = {**kwargs, "mask": masks}
            kwargs = self._resolve_training(args, kwargs)
            hooked = (
                self._forward_hooks
                or self._forward_pre_hooks
                or self._backward_hooks
                or self._backward_pre_hooks
            )
            out = self._call_with_hooks(args, kwargs) if hooked else self.call(*args, **kwargs)
            if self.activity_regularizer is not None:
                for y in leaves(out):
                    if isinstance(y, Tensor):  # a mean over the batch, as in Keras
                        share = 1.0 / (y.shape[0] or 1) if y.shape else 1.0
                        self.add_loss(self.activity_regularizer(y) * share)
            if masks is not None or (self.supports_masking and self._masks_itself):
                self._pass_mask(first, masks, out)
            return out
        except Exception as error:
            raise explained(error, self, args, kwargs) from None
        finally:
            context.entry, context.training = entry, before

    def _default(self) -> bool:
        """`training` where neither the caller nor a call around this one says it.

        What `train()` and `eval()` set, which is False until one of them is used; or True where
        that is the default in `call`.
        """
        return self.training or self._signature.training_default

    def _resolve_training(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """`kwargs` with `training` as `call` is to have it; told to the layers inside too."""
        signature = self._signature
        said = signature.said(args, kwargs)
        if isinstance(said, Tensor):
            said = bool(said.item())
        training = _context.training if said is None else said
        if training is None:
            training = self._default()
        if said is not None or self._modules:
            _context.training = training
            if self._has_plain_modules:
                for module in self._modules.values():
                    if not isinstance(module, Calling) and module.training != training:
                        module.train(training)
        if signature.training:
            return kwargs if len(args) > signature.at else {**kwargs, "training": training}
        if "training" in kwargs and not signature.any_keyword:
            return {k: v for k, v in kwargs.items() if k != "training"}
        return kwargs

    def _run(self, *args: Any, **kwargs: Any) -> Any:
        """`call` alone, for a trial of shapes."""
        return self.call(*args, **self._resolve_training(args, kwargs))

    # Masks

    @property
    def _masks_itself(self) -> bool:
        return type(self).compute_mask is not Calling.compute_mask

    def compute_mask(self, inputs: Any, previous_mask: Any) -> Any:
        """The mask of the output: that of the input, for a layer that keeps positions."""
        return previous_mask

    def _masks_of(self, inputs: Any) -> Any:
        """The masks of the inputs, nested like them; None where there is none."""
        if isinstance(inputs, Tensor):
            return None if inputs.extra is None else get_mask(inputs)
        if any(get_mask(x) is not None for x in leaves(inputs)):
            return mapped(inputs, get_mask)
        return None

    def _pass_mask(self, inputs: Any, masks: Any, out: Any) -> None:
        if not self.supports_masking:
            if masks is not None:
                warnings.warn(
                    f"Layer '{self.name}' (of type {type(self).__name__}) was passed an input with"
                    " a mask attached to it. However, this layer does not support masking and will"
                    " therefore destroy the mask information. Downstream layers will not see the"
                    " mask.",
                    UserWarning,
                    stacklevel=5,
                )
            return
        mask = self.compute_mask(inputs, masks)
        if isinstance(out, Tensor):
            if mask is None or isinstance(mask, Tensor):
                set_mask(out, mask)
        elif isinstance(mask, (list, tuple)):
            for y, m in zip(leaves(out), mask):
                set_mask(y, m)

    # Symbolic tensors

    def _call_symbolically(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if not self.built:
            self._build_for(args, kwargs)
            first = args[0] if args else next(iter(kwargs.values()))
            specs.check(self.input_spec, first, self.name)
        try:
            out = self.compute_output_spec(*args, **kwargs)
            self.__dict__["_locked"] = True
        except Exception as error:
            raise explained(error, self, args, kwargs) from None
        Node(self, args, kwargs, out)
        return out

    def symbolic_call(self, *args: Any, **kwargs: Any) -> Any:
        """The symbolic output, noted in the graph."""
        return self._call_symbolically(args, kwargs)


def _nearest(dtype: np.dtype) -> np.dtype:
    return dtypes.float32 if dtype.kind == "f" else dtypes.int64
