"""Layer: a module that builds its weights at the first call, under Keras' names."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from autograd import Tensor, dtypes
from nn.keras import arguments, config
from nn.keras.calling import Calling
from nn.keras.context import _context, call_context
from nn.keras.errors import explained
from nn.keras.naming import to_snake_case
from nn.keras.node import KerasTensor, any_symbolic, leaves, mapped, probe, shapes_of
from nn.keras.signature import CallSignature, build_names
from nn.keras.spec import InputSpec
from nn.keras.variable import Variable

__all__ = ["InputSpec", "Layer", "call_context"]


class Layer(Calling):
    """A function with weights: subclass it and define `call`, and `build` for its weights.

    `build(input_shape)` runs before the first call and makes weights with `add_weight`; it may be
    left out where `__init__` makes all there is.  `call(inputs, training=None)` computes.  A layer
    is an `nn.Module` too: it may stand in one, and its `parameters()`, `state_dict()`, hooks and
    `train()` work; `train()` sets what `training` is where no call says it.
    """

    _path: str | None
    _input_shape_arg: tuple[int | None, ...] | None

    def __init__(
        self,
        *,
        activity_regularizer: Any = None,
        trainable: bool = True,
        dtype: Any = None,
        autocast: bool = True,
        name: str | None = None,
        **kwargs: Any,
    ):
        super().__init__()
        unknown = {k: v for k, v in kwargs.items() if k not in arguments.LEGACY}
        if unknown:
            raise ValueError(
                f"Unrecognized keyword arguments passed to {type(self).__name__}: {unknown}"
            )
        if name is not None and (not isinstance(name, str) or "/" in name):
            raise ValueError(
                f"Argument `name` must be a string and cannot contain `/`. Received: name={name!r}"
            )
        chosen = arguments.policy(dtype)
        self._ready_to_call(autocast)
        self.__dict__.update(
            name=config.auto_name(to_snake_case(type(self).__name__)) if name is None else name,
            built=False,
            input_spec=None,
            supports_masking=False,
            activity_regularizer=arguments.regularizer(activity_regularizer),
            _trainable=bool(trainable),
            _policy=chosen,
            _dtype=dtypes.as_dtype(chosen.compute_dtype),
            _build_shapes=None,
            _path=None,
            _input_shape_arg=arguments.declared_shape(kwargs),
        )

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "build" in cls.__dict__:
            cls.build = _building(cls.__dict__["build"])  # type: ignore[method-assign]
        if "call" in cls.__dict__:
            cls._signature = CallSignature(cls.call)

    # What a subclass defines

    def build(self, *args: Any, **kwargs: Any) -> None:
        """Create the weights for an input of this shape; the base class has none to create."""
        self.__dict__["built"] = True
        if args and self._build_shapes is None:
            self.__dict__["_build_shapes"] = {"input_shape": args[0]}

    def call(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the output; a subclass defines it."""
        raise NotImplementedError(
            f"Layer {type(self).__name__} does not have a `call()` method implemented."
        )

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """`call`, under the name that modules have for it."""
        return self.call(*args, **kwargs)

    def compute_output_shape(self, *args: Any, **kwargs: Any) -> Any:
        """The shape of the output for an input of this shape, found by trial unless overridden."""
        given = [_symbol_of(shape, self.compute_dtype) for shape in args]
        named = {
            k.removesuffix("_shape"): _symbol_of(v, self.compute_dtype) for k, v in kwargs.items()
        }
        if not given and list(kwargs) == ["input_shape"]:
            given, named = list(named.values()), {}
        return shapes_of(self.compute_output_spec(*given, **named))

    def compute_output_spec(self, *args: Any, **kwargs: Any) -> Any:
        """The symbolic output for symbolic arguments."""
        if type(self).compute_output_shape is Layer.compute_output_shape:
            return self._probe(args, kwargs)
        bound = self._signature.bound(args, kwargs)
        shapes = {k: shapes_of(v) for k, v in bound.items() if any_symbolic(v)}
        names = build_names(type(self).compute_output_shape)
        if not shapes:
            shapes = {"input": shapes_of(args[0])}
        if len(shapes) == 1 or len(names) == 1:
            shape = self.compute_output_shape(next(iter(shapes.values())))
        else:
            shape = self.compute_output_shape(**{f"{k}_shape": v for k, v in shapes.items()})
        return _symbol_of(shape, self.compute_dtype)

    def _probe(self, args: Any, kwargs: dict[str, Any]) -> Any:
        context = _context
        before = context.entry, context.training
        kept = [(w, w.array.copy()) for w in self.weights]
        try:
            context.entry = self
            with self._in_scope():
                return probe(self._run, args, kwargs)
        finally:
            context.entry, context.training = before
            self._clear_losses()
            for w, values in kept:
                np.copyto(w.array, values)

    # Building

    def _build_for(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Build from the shapes of the first call's arguments."""
        bound = self._signature.bound(args, kwargs)
        shapes = {
            name: _shape_to_build(value)
            for name, value in bound.items()
            if any(isinstance(x, (Tensor, KerasTensor)) for x in leaves(value))
        }
        if not shapes:  # a `call` of *args
            shapes = {"input": _shape_to_build(args[0] if args else None)}
        if self._builds_in_call:
            named = shapes if len(shapes) > 1 else {"input_shape": next(iter(shapes.values()))}
            self.__dict__.update(built=True, _build_shapes=named, _path=self._scope_path())
            return
        names = build_names(type(self).build)
        if len(names) <= 1:
            self.build(next(iter(shapes.values())))
            return
        wanted = {f"{name}_shape": shape for name, shape in shapes.items()}
        self.build(**{name: wanted[name] for name in names if name in wanted})

    def add_weight(
        self,
        shape: Any = None,
        initializer: Any = None,
        dtype: Any = None,
        trainable: bool = True,
        autocast: bool = True,
        regularizer: Any = None,
        constraint: Any = None,
        aggregation: str = "none",
        overwrite_with_gradient: bool = False,
        name: str | None = None,
    ) -> Variable:
        """A new variable of the layer: Glorot-uniform floats, or zeros for integers, by default."""
        from nn.keras import constraints, initializers

        shape = () if shape is None else (shape,) if isinstance(shape, int) else tuple(shape)
        dtype = self.variable_dtype if dtype is None else config.standardize_dtype(dtype)
        if initializer is None:
            initializer = "glorot_uniform" if dtype.startswith("float") else "zeros"
        name = config.auto_name("variable") if name is None else name
        variable = Variable(
            initializers.get(initializer),
            shape=shape,
            dtype=dtype,
            trainable=trainable,
            name=name,
            path=f"{self._scope_path()}/{name}",
            regularizer=arguments.regularizer(regularizer),
            constraint=constraints.get(constraint),
        )
        self._own(variable)
        self._stand_in(variable)
        return variable

    add_variable = add_weight

    @property
    def _builds_in_call(self) -> bool:
        return type(self).build is Layer.build

    @contextlib.contextmanager
    def _in_scope(self) -> Iterator[None]:
        """What is built inside has its path below this layer's."""
        before = _context.scope
        if not before or before[-1] is not self:
            _context.scope = (*before, self)
        try:
            yield
        finally:
            _context.scope = before

    def _scope_path(self) -> str:
        scope = _context.scope
        if not scope or scope[-1] is not self:
            scope = (*scope, self)
        return "/".join(layer.name for layer in scope)

    @property
    def path(self) -> str:
        """Where the layer was built: the names of the layers around it, and its own."""
        return self._path or self.name

    # Dtypes

    @property
    def dtype_policy(self) -> config.DTypePolicy:
        """The dtype the layer computes in."""
        return self._policy

    @property
    def dtype(self) -> str:
        """The name of the dtype of the weights."""
        return self._policy.variable_dtype

    variable_dtype = dtype

    @property
    def compute_dtype(self) -> str:
        """The name of the dtype that inputs are cast to."""
        return self._policy.compute_dtype

    def _recast(self, dtype: np.dtype) -> None:
        """Compute in another dtype from now on, which `double()` and `to(dtype)` set."""
        new = config.DTypePolicy(dtype.name)
        self.__dict__.update(_policy=new, _dtype=dtypes.as_dtype(new.compute_dtype))
        self._forget()

    @property
    def input_dtype(self) -> str:
        """The same as `compute_dtype`."""
        return self._policy.compute_dtype

    # Losses

    def add_loss(self, loss: Any) -> None:
        """Add scalar tensors to `losses`, until the outermost layer is called again."""
        entry = _context.entry if _context.entry is not None else self
        for x in leaves(loss):
            if not isinstance(x, Tensor):
                raise ValueError(
                    "`add_loss()` can only be called from inside `call()` on tensors that were"
                    f" computed there. Received in layer '{self.name}': {x!r} of type"
                    f" {type(x).__name__}"
                )
            self._losses.append(x)
        if not any(layer is self for layer in entry._lossy):
            entry._lossy.append(self)
        self._forget()

    def _clear_losses(self) -> None:
        for layer in self._lossy:
            layer._losses.clear()

    @property
    def losses(self) -> list[Tensor]:
        """What `add_loss` and activity regularizers gave, and the penalties of all weights."""
        found = [x for each in self._flatten_layers() for x in getattr(each, "_losses", ())]
        for w in self.trainable_weights:
            penalty = getattr(w, "regularizer", None)
            if penalty is not None:
                found.append(penalty(w))
        return found


def _building(build: Callable[..., Any]) -> Callable[..., Any]:
    """`build` so that it knows where it is, and the layer that it is built."""

    @functools.wraps(build)
    def wrapper(self: Layer, *args: Any, **kwargs: Any) -> None:
        with self._in_scope():
            try:
                self.__dict__["_path"] = self._scope_path()
                build(self, *args, **kwargs)
            except Exception as error:
                raise explained(error, self, args, kwargs, "build") from None
        names = dict(zip(build_names(build), args))
        self.__dict__.update(built=True, _build_shapes={**names, **kwargs} or None)
        if not self.trainable:
            self.trainable = False
        self._locked = True

    return wrapper


def _shape_to_build(tree: Any) -> Any:
    """Shapes for `build`; while shapes are probed, the batch size is unknown."""
    unknown = _context.unknown

    def shape(x: Any) -> Any:
        if not hasattr(x, "shape"):
            return None
        sizes = tuple(x.shape)
        return (None, *sizes[1:]) if unknown and sizes[:1] == (unknown,) else sizes

    return mapped(tree, shape)


def _symbol_of(shape: Any, dtype: str) -> Any:
    """A symbolic tensor for a shape; the same nesting of them for several."""
    if isinstance(shape, dict):
        return {k: _symbol_of(v, dtype) for k, v in shape.items()}
    if isinstance(shape, (list, tuple)):
        if all(d is None or isinstance(d, (int, np.integer)) for d in shape):
            return KerasTensor(shape, dtype)
        return type(shape)(_symbol_of(s, dtype) for s in shape)
    return shape


Layer._signature = CallSignature(Layer.call)
