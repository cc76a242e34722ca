"""Initial values of weights, under Keras' names and with its distributions.

An initializer is called with a shape and a dtype and returns a tensor.  One made without a seed
takes one from the default generator when it is made, so that `set_random_seed` decides; called
twice, it gives the same values twice, as in Keras.  The streams are ours: the distributions are
Keras', the draws are not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from autograd import Generator, Tensor, as_tensor
from autograd.dtypes import as_dtype
from autograd.generator import stream
from nn.keras import config, saving
from nn.keras.naming import by_name

Self = TypeVar("Self", bound="Initializer")
_TRUNCATED = 0.87962566103423978
"""The standard deviation of N(0, 1) on condition that it is in [-2, 2]."""
_SEEDS = 10**9


class Initializer:
    """The base of all: subclass it, and write `__call__(shape, dtype=None)`."""

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Tensor:
        """A tensor of that shape."""
        raise NotImplementedError(
            f"{type(self).__name__}: Initializer subclasses must implement the `__call__()` method."
        )

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {}

    @classmethod
    def from_config(cls: type[Self], config: dict[str, Any]) -> Self:
        """The initializer with these arguments."""
        return cls(**config)

    def clone(self: Self) -> Self:
        """Another one with the same arguments."""
        return type(self).from_config(self.get_config())

    def __repr__(self) -> str:
        given = ", ".join(f"{k}={v!r}" for k, v in self.get_config().items())
        return f"{type(self).__name__}({given})"


def _dtype(dtype: Any) -> np.dtype:
    return as_dtype(config.floatx() if dtype is None else dtype)


# The same for every element


class Constant(Initializer):
    """Every element `value`, or an array of the shape asked for."""

    def __init__(self, value: Any = 0.0):
        self.value = value

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Tensor:
        """`value` everywhere."""
        value = self.value.numpy() if isinstance(self.value, Tensor) else self.value
        return Tensor.wrap(np.full(tuple(shape), value, _dtype(dtype)))

    def get_config(self) -> dict[str, Any]:
        """`value`."""
        return {"value": saving.serialize_keras_object(self.value)}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Constant:
        """The initializer with these arguments."""
        return cls(saving.deserialize_keras_object(config["value"]))


class Zeros(Initializer):
    """Every element 0."""

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Tensor:
        """0 everywhere."""
        return Tensor.wrap(np.zeros(tuple(shape), _dtype(dtype)))


class Ones(Initializer):
    """Every element 1."""

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Tensor:
        """1 everywhere."""
        return Tensor.wrap(np.ones(tuple(shape), _dtype(dtype)))


class Identity(Initializer):
    """`gain` on the diagonal of a matrix, 0 elsewhere."""

    def __init__(self, gain: float = 1.0):
        self.gain = gain

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Tensor:
        """The matrix; ValueError for what is none."""
        if len(shape) != 2:
            raise ValueError(
                "Identity matrix initializer can only be used for 2D matrices. Received:"
                f" shape={tuple(shape)} of rank {len(shape)}."
            )
        return Tensor.wrap((self.gain * np.eye(shape[0], shape[1])).astype(_dtype(dtype)))

    def get_config(self) -> dict[str, Any]:
        """`gain`."""
        return {"gain": self.gain}


# Drawn


class RandomInitializer(Initializer):
    """What draws: from an integer seed (the same values each time) or a SeedGenerator."""

    def __init__(self, seed: Any = None):
        if isinstance(seed, dict):
            seed = saving.deserialize_keras_object(seed)
        self._init_seed = seed
        if seed is None:
            seed = int(stream(None).integers(1, _SEEDS))
        elif isinstance(seed, bool) or not (isinstance(seed, (int, np.integer, Generator))):
            raise ValueError(
                "`seed` argument should be an instance of `keras.random.SeedGenerator()` or an"
                f" integer. Received: seed={seed}"
            )
        self.seed = seed

    def _stream(self) -> np.random.Generator:
        if isinstance(self.seed, Generator):
            return stream(self.seed)
        return np.random.Generator(np.random.PCG64(int(self.seed) % 2**64))

    def get_config(self) -> dict[str, Any]:
        """`seed`, as it was given."""
        return {"seed": saving.serialize_keras_object(self._init_seed)}

    def clone(self: Self) -> Self:
        """Another one with the same arguments; without a seed, with other values."""
        return type(self).from_config(self.get_config())


def _uniform(source: np.random.Generator, shape: Any, low: float, high: float, dtype: Any) -> Any:
    kind = _float(dtype)
    values = source.random(tuple(shape), kind)
    return Tensor.wrap(np.asarray(values * kind.type(high - low) + kind.type(low)))


def _normal(source: np.random.Generator, shape: Any, mean: float, std: float, dtype: Any) -> Tensor:
    kind = _float(dtype)
    values = source.standard_normal(tuple(shape), kind)
    return Tensor.wrap(np.asarray(values * kind.type(std) + kind.type(mean)))


def _truncated(
    source: np.random.Generator, shape: Any, mean: float, std: float, dtype: Any
) -> Tensor:
    """Normal numbers; what is farther than two deviations from the mean is drawn again."""
    kind = _float(dtype)
    values = np.asarray(source.standard_normal(tuple(shape), kind)).reshape(-1)
    far = np.flatnonzero(np.abs(values) > 2)
    while far.size:
        values[far] = source.standard_normal(far.size, kind)
        far = far[np.abs(values[far]) > 2]
    return Tensor.wrap((values * kind.type(std) + kind.type(mean)).reshape(tuple(shape)))


def _float(dtype: Any) -> np.dtype:
    kind = _dtype(dtype)
    if kind.kind != "f":
        raise ValueError(
            f"a random initializer draws float32 or float64. Received: dtype={kind.name}"
        )
    return kind


class RandomNormal(RandomInitializer):
    """N(mean, stddev^2)."""

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: Any = None):
        self.mean, self.stddev = mean, stddev
        super().__init__(seed)

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Tensor:
        """Draw."""
        return _normal(self._stream(), shape, self.mean, self.stddev, dtype)

    def get_config(self) -> dict[str, Any]:
        """`seed`, `mean`, `stddev`."""
        return {**super().get_config(), "mean": self.mean, "stddev": self.stddev}


class TruncatedNormal(RandomNormal):
    """N(mean, stddev^2) on condition that it is within two stddev of the mean."""

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Tensor:
        """Draw."""
        return _truncated(self._stream(), shape, self.mean, self.stddev, dtype)


class RandomUniform(RandomInitializer):
    """U(minval, maxval)."""

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: Any = None):
        self.minval, self.maxval = minval, maxval
        super().__init__(seed)

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Tensor:
        """Draw."""
        return _uniform(self._stream(), shape, self.minval, self.maxval, dtype)

    def get_config(self) -> dict[str, Any]:
        """`seed`, `minval`, `maxval`."""
        return {**super().get_config(), "minval": self.minval, "maxval": self.maxval}


class Orthogonal(RandomInitializer):
    """`gain` times a matrix with orthogonal rows or columns, of all dimensions but the last.

    Q of the QR decomposition of normal numbers, its signs fixed so that it is uniform.
    (Saxe, McClelland and Ganguli 2013)
    """

    def __init__(self, gain: float = 1.0, seed: Any = None):
        self.gain = gain
        super().__init__(seed)

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Tensor:
        """Draw; ValueError for fewer than two dimensions."""
        if len(shape) < 2:
            raise ValueError(
                "The tensor to initialize must be at least two-dimensional. Received:"
                f" shape={tuple(shape)} of rank {len(shape)}."
            )
        rows, columns = math.prod(shape[:-1]), shape[-1]
        flat = self._stream().standard_normal((max(rows, columns), min(rows, columns)))
        q, r = np.linalg.qr(flat)
        q *= np.sign(np.diag(r))
        values = self.gain * (q.T if rows < columns else q)
        return Tensor.wrap(np.ascontiguousarray(values, _float(dtype)).reshape(tuple(shape)))

    def get_config(self) -> dict[str, Any]:
        """`seed`, `gain`."""
        return {**super().get_config(), "gain": self.gain}


# Scaled by the fans


def compute_fans(
    shape: Sequence[int],
    input_axes: Sequence[int] | None = None,
    output_axes: Sequence[int] | None = None,
) -> tuple[int, int]:
    """(fan_in, fan_out) of a weight (...receptive field, in, out), or of the axes that are given.

    The fans of a vector are its size, those of a number 1.
    """
    shape = tuple(shape)
    if input_axes is not None and output_axes is not None:
        return math.prod(shape[a] for a in input_axes), math.prod(shape[a] for a in output_axes)
    if len(shape) < 2:
        return (int(shape[0]), int(shape[0])) if shape else (1, 1)
    field = math.prod(shape[:-2])
    return int(shape[-2] * field), int(shape[-1] * field)


_MODES = ("fan_in", "fan_out", "fan_avg")
_DISTRIBUTIONS = ("uniform", "truncated_normal", "untruncated_normal")


class VarianceScaling(RandomInitializer):
    """Values of variance scale / n, with n = fan_in, fan_out or their mean, by `mode`.

    `distribution`: "uniform", "untruncated_normal", or "truncated_normal", whose normal numbers
    are within two of their deviations, and so are drawn with a 1 / 0.8796 times greater one.
    """

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: Any = None,
        input_axes: Sequence[int] | None = None,
        output_axes: Sequence[int] | None = None,
    ):
        if scale <= 0.0:
            raise ValueError(f"Argument `scale` must be positive float. Received: scale={scale}")
        if mode not in _MODES:
            raise ValueError(f"Invalid `mode` argument: {mode}. Please use one of {set(_MODES)}")
        distribution = distribution.lower()
        if distribution == "normal":
            distribution = "truncated_normal"
        if distribution not in _DISTRIBUTIONS:
            raise ValueError(
                f"Invalid `distribution` argument: {distribution}. Please use one of"
                f" {set(_DISTRIBUTIONS)}"
            )
        self.scale, self.mode, self.distribution = scale, mode, distribution
        self.input_axes, self.output_axes = input_axes, output_axes
        super().__init__(seed)

    def __call__(self, shape: Sequence[int], dtype: Any = None) -> Tensor:
        """Draw."""
        fan_in, fan_out = compute_fans(shape, self.input_axes, self.output_axes)
        n = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        variance = self.scale / max(1.0, n)
        if self.distribution == "uniform":
            limit = math.sqrt(3 * variance)
            return _uniform(self._stream(), shape, -limit, limit, dtype)
        if self.distribution == "truncated_normal":
            std = math.sqrt(variance) / _TRUNCATED
            return _truncated(self._stream(), shape, 0.0, std, dtype)
        return _normal(self._stream(), shape, 0.0, math.sqrt(variance), dtype)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "scale": self.scale,
            "mode": self.mode,
            "distribution": self.distribution,
            "input_axes": self.input_axes,
            "output_axes": self.output_axes,
        }


class _Named(VarianceScaling):
    """A VarianceScaling with a name; a subclass says its arguments."""

    fixed: tuple[float, str, str]

    def __init__(self, seed: Any = None, input_axes: Any = None, output_axes: Any = None):
        super().__init__(*self.fixed, seed, input_axes, output_axes)

    def get_config(self) -> dict[str, Any]:
        """`seed`, `input_axes`, `output_axes`."""
        full = super().get_config()
        return {key: full[key] for key in ("seed", "input_axes", "output_axes")}


class GlorotUniform(_Named):
    """U(-b, b) with b = sqrt(6 / (fan_in + fan_out)).  (Glorot and Bengio 2010)."""

    fixed = 1.0, "fan_avg", "uniform"


class GlorotNormal(_Named):
    """Truncated normal of variance 2 / (fan_in + fan_out).  (Glorot and Bengio 2010)."""

    fixed = 1.0, "fan_avg", "truncated_normal"


class LecunUniform(_Named):
    """U(-b, b) with b = sqrt(3 / fan_in).  (LeCun et al. 1998)."""

    fixed = 1.0, "fan_in", "uniform"


class LecunNormal(_Named):
    """Truncated normal of variance 1 / fan_in, for SELU networks.  (LeCun et al. 1998)."""

    fixed = 1.0, "fan_in", "truncated_normal"


class HeUniform(_Named):
    """U(-b, b) with b = sqrt(6 / fan_in).  (He et al. 2015)."""

    fixed = 2.0, "fan_in", "uniform"


class HeNormal(_Named):
    """Truncated normal of variance 2 / fan_in, for ReLU networks.  (He et al. 2015)."""

    fixed = 2.0, "fan_in", "truncated_normal"


# By name

TABLE: dict[str, Any] = {
    **by_name(
        Initializer, Constant, Identity, Ones, Zeros, GlorotNormal, GlorotUniform, HeNormal,
        HeUniform, LecunNormal, LecunUniform, Orthogonal, RandomNormal, RandomUniform,
        TruncatedNormal, VarianceScaling,
    ),
    "IdentityInitializer": Identity,
    "OrthogonalInitializer": Orthogonal,
    "normal": RandomNormal,
    "uniform": RandomUniform,
    "one": Ones,
    "zero": Zeros,
}  # fmt: skip
"""What `get` knows: class names, their snake_case, and Keras' aliases."""

constant, zeros, ones, identity = Constant, Zeros, Ones, Identity
random_normal, random_uniform, truncated_normal = RandomNormal, RandomUniform, TruncatedNormal
glorot_normal, glorot_uniform = GlorotNormal, GlorotUniform
lecun_normal, lecun_uniform = LecunNormal, LecunUniform
he_normal, he_uniform = HeNormal, HeUniform
variance_scaling, orthogonal = VarianceScaling, Orthogonal
IdentityInitializer, OrthogonalInitializer = Identity, Orthogonal


def get(identifier: Any) -> Callable[..., Any] | None:
    """The initializer of a name, config, class, function or array; None for None.

    An array is the value itself: the shape asked for must be its own.
    """
    if isinstance(identifier, (Tensor, np.ndarray, np.generic)):
        return _given(as_tensor(identifier))
    return saving.resolve("initializer", identifier, TABLE)


def _given(value: Tensor) -> Callable[..., Tensor]:
    def initialize(shape: Sequence[int], dtype: Any = None) -> Tensor:
        if tuple(shape) != value.shape:
            raise ValueError(
                f"Expected `shape` to be {value.shape} for direct tensor as initializer. Received"
                f" shape={tuple(shape)}"
            )
        return Tensor.wrap(value.detach().numpy().astype(_dtype(dtype)))

    return initialize


def serialize(initializer: Any) -> Any:
    """Its config, as JSON holds it."""
    return saving.serialize_keras_object(initializer)


def deserialize(config: Any, custom_objects: dict[str, Any] | None = None) -> Any:
    """The initializer of a config."""
    return saving.resolve("initializer", config, {**TABLE, **(custom_objects or {})})
