"""Adam, AdamW, Adamax and Nadam, with Keras' numbers.

epsilon is the "epsilon hat" of Kingma & Ba's section 2: it is added to sqrt(v) before v's bias is
corrected, so it weighs less in the first steps than elsewhere.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from autograd.kernel import device, elements_of, kernel
from nn.keras.optimizers.base import Numbers, Optimizer, Slot
from nn.keras.optimizers.rule import (
    ARRAY,
    DECAY,
    DECAYS,
    OWN,
    ROWS,
    Rule,
    as_tensor_number,
    begin,
    decayed,
    elements,
    given,
    moment,
)


@device
def _power(base, t, like):
    """base^t, where base is a float32 tensor that was cast to the dtype of `like`."""
    return like.dtype.type(np.float64(np.float32(base)) ** np.float64(t))


@device
def _update(p, g, m, v, decay, lr, alpha, new1, new2, eps):
    """Adam without amsgrad, in a loop of its own: with a choice of arrays it is 8 times slower."""
    for i in range(p.size):
        first, second = moment(m[i], g[i], new1), moment(v[i], g[i] * g[i], new2)
        m[i] = first
        v[i] = second
        p[i] = decayed(p[i], decay, lr) - first * alpha / (np.sqrt(second) + eps)


@kernel
def _adam(gradients, none, book, hyper, rate, counter, numbers, advance):
    t = begin(gradients, none, book, hyper, counter)
    if t < 0:
        return -t - 1
    counter[0] += advance
    if t == 0:
        return -1
    real, one = numbers.dtype.type, numbers.dtype.type(1)
    beta1, beta2, eps = hyper[OWN], hyper[OWN + 1], real(hyper[OWN + 2])
    amsgrad = hyper[OWN + 3] != 0
    new1, new2, lr = real(1 - beta1), real(1 - beta2), real(rate[0])
    root = np.sqrt(one - _power(beta2, t, numbers))
    alpha = lr * root / (one - _power(beta1, t, numbers))
    for k in range(book.shape[0]):
        place = given(gradients, book, k)
        if place == none:
            continue
        decay = real(hyper[DECAY]) if book[k, DECAYS] else real(0)
        p, g = elements(book, k, ARRAY, numbers), elements_of(place, numbers)
        m, v = elements(book, k, ROWS, numbers), elements(book, k, ROWS + 1, numbers)
        if not amsgrad:
            _update(p, g, m, v, decay, lr, alpha, new1, new2, eps)
            continue
        peak = elements(book, k, ROWS + 2, numbers)
        for i in range(p.size):
            first, second = moment(m[i], g[i], new1), moment(v[i], g[i] * g[i], new2)
            m[i] = first
            v[i] = second
            second = second if second > peak[i] or second != second else peak[i]
            peak[i] = second
            p[i] = decayed(p[i], decay, lr) - first * alpha / (np.sqrt(second) + eps)
    return -1


def _powers(p: Any, t: int, *betas: float) -> list[Any]:
    return [p.dtype.type(float(np.float32(beta)) ** t) for beta in betas]


def _adam_reference(p: Any, g: Any, rows: Any, t: int, lr: Any, own: Any, numbers: Any) -> None:
    real, (beta1, beta2, eps, amsgrad), (m, v) = p.dtype.type, own, rows[:2]
    power1, power2 = _powers(p, t, beta1, beta2)
    m[...] = moment(m, g, real(1 - beta1))
    v[...] = moment(v, g * g, real(1 - beta2))
    if amsgrad:
        v = np.maximum(rows[2], v, out=rows[2])
    p -= m * (lr * np.sqrt(1 - power2) / (1 - power1)) / (np.sqrt(v) + real(eps))


class Adam(Optimizer):
    """Adam (Kingma & Ba 2015).

    m = m + (1 - beta_1)(g - m),  v = v + (1 - beta_2)(g^2 - v),
    p = p - lr sqrt(1 - beta_2^t) / (1 - beta_1^t) m / (sqrt(v) + epsilon)  at step t.

    `amsgrad` divides by the greatest v so far.  `common`: the options of `Optimizer`.
    """

    rule = Rule(_adam, _adam_reference)
    hyper = ("beta_1", "beta_2", "epsilon", "amsgrad")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **common: Any,
    ):
        super().__init__(learning_rate, **common)
        self.beta_1, self.beta_2 = beta_1, beta_2
        self.epsilon, self.amsgrad = epsilon, amsgrad

    def _slots(self) -> list[list[Slot]]:
        moments = [("momentum", 0.0), ("velocity", 0.0)]
        return [moments, [("velocity_hat", 0.0)]] if self.amsgrad else [moments]


class AdamW(Adam):
    """Adam whose weights shrink by lr weight_decay before each update (Loshchilov & Hutter 2019).

    In Keras every optimizer decays like that; this one does by default.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        weight_decay: float = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **common: Any,
    ):
        if weight_decay is None:
            raise ValueError("Argument `weight_decay` must be a float. Received: weight_decay=None")
        super().__init__(
            learning_rate, beta_1, beta_2, epsilon, amsgrad, weight_decay=weight_decay, **common
        )


@kernel
def _adamax(gradients, none, book, hyper, rate, counter, numbers, advance):
    t = begin(gradients, none, book, hyper, counter)
    if t < 0:
        return -t - 1
    counter[0] += advance
    if t == 0:
        return -1
    real = numbers.dtype.type
    new1, keep2 = real(1 - hyper[OWN]), real(hyper[OWN + 1])
    eps, lr = real(hyper[OWN + 2]), real(rate[0])
    rest = real(1) - _power(hyper[OWN], t, numbers)
    for k in range(book.shape[0]):
        place = given(gradients, book, k)
        if place == none:
            continue
        decay = real(hyper[DECAY]) if book[k, DECAYS] else real(0)
        p, g = elements(book, k, ARRAY, numbers), elements_of(place, numbers)
        m, u = elements(book, k, ROWS, numbers), elements(book, k, ROWS + 1, numbers)
        for i in range(p.size):
            first, size, faded = moment(m[i], g[i], new1), abs(g[i]), keep2 * u[i]
            peak = faded if faded > size or faded != faded else size
            m[i] = first
            u[i] = peak
            p[i] = decayed(p[i], decay, lr) - lr * first / (rest * (peak + eps))
    return -1


def _adamax_reference(p: Any, g: Any, rows: Any, t: int, lr: Any, own: Any, numbers: Any) -> None:
    real, (beta1, beta2, eps), (m, u) = p.dtype.type, own, rows
    (power,) = _powers(p, t, beta1)
    m[...] = moment(m, g, real(1 - beta1))
    u[...] = np.maximum(real(beta2) * u, abs(g))
    p -= lr * m / ((1 - power) * (u + real(eps)))


class Adamax(Optimizer):
    """Adam with the infinity norm (Kingma & Ba 2015).

    m = m + (1 - beta_1)(g - m),  u = max(beta_2 u, |g|),
    p = p - lr / (1 - beta_1^t) m / (u + epsilon)  at step t.
    """

    rule = Rule(_adamax, _adamax_reference)
    hyper = ("beta_1", "beta_2", "epsilon")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        **common: Any,
    ):
        super().__init__(learning_rate, **common)
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon

    def _slots(self) -> list[list[Slot]]:
        return [[("momentum", 0.0), ("norm", 0.0)]]


@kernel
def _nadam(gradients, none, book, hyper, rate, counter, numbers, advance):
    t = begin(gradients, none, book, hyper, counter)
    if t < 0:
        return -t - 1
    counter[0] += advance
    if t == 0:
        return -1
    real, one, half = numbers.dtype.type, numbers.dtype.type(1), numbers.dtype.type(0.5)
    beta1, beta2 = real(hyper[OWN]), real(hyper[OWN + 1])
    eps, lr = real(hyper[OWN + 2]), real(rate[0])
    numbers[0] *= real(hyper[OWN + 3]) * (one - half * real(0.96 ** np.float64(t)))
    now = beta1 * (one - half * _power(0.96, t, numbers))
    ahead = beta1 * (one - half * _power(0.96, t + 1, numbers))
    product = numbers[0]
    from_g, from_m = (one - now) / (one - product), ahead / (one - product * ahead)
    rest = one - _power(hyper[OWN + 1], t, numbers)
    for k in range(book.shape[0]):
        place = given(gradients, book, k)
        if place == none:
            continue
        decay = real(hyper[DECAY]) if book[k, DECAYS] else real(0)
        p, g = elements(book, k, ARRAY, numbers), elements_of(place, numbers)
        m, v = elements(book, k, ROWS, numbers), elements(book, k, ROWS + 1, numbers)
        for i in range(p.size):
            first = moment(m[i], g[i], one - beta1)
            second = moment(v[i], g[i] * g[i], one - beta2)
            m[i] = first
            v[i] = second
            mean = from_m * first + from_g * g[i]
            p[i] = decayed(p[i], decay, lr) - mean * lr / (np.sqrt(second / rest) + eps)
    return -1


def _nadam_product(t: int, own: Any, numbers: Any) -> None:
    real = numbers.dtype.type
    numbers[0] *= real(own[3]) * (1 - real(0.5) * real(0.96**t))


def _nadam_reference(p: Any, g: Any, rows: Any, t: int, lr: Any, own: Any, numbers: Any) -> None:
    real, (m, v) = p.dtype.type, rows
    beta1, beta2, eps = (real(x) for x in own[:3])
    now, ahead = (beta1 * (1 - real(0.5) * x) for s in (t, t + 1) for x in _powers(p, s, 0.96))
    (power,) = _powers(p, t, own[1])
    product = numbers[0]
    m[...] = moment(m, g, 1 - beta1)
    v[...] = moment(v, g * g, 1 - beta2)
    mean = ahead / (1 - product * ahead) * m + (1 - now) / (1 - product) * g
    p -= mean * lr / (np.sqrt(v / (1 - power)) + eps)


class Nadam(Optimizer):
    """Adam with Nesterov momentum (Dozat 2016).

    u_t = beta_1 (1 - 0.96^t / 2),  U_t = u_1 ... u_t,
    p = p - lr ((1 - u_t) g / (1 - U_t) + u_(t+1) m / (1 - U_(t+1)))
            / (sqrt(v / (1 - beta_2^t)) + epsilon)  at step t.
    """

    rule = Rule(_nadam, _nadam_reference, _nadam_product)
    hyper = ("beta_1", "beta_2", "epsilon")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        **common: Any,
    ):
        super().__init__(learning_rate, **common)
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon

    def _own(self) -> Numbers:
        rounded = as_tensor_number(self.beta_1), as_tensor_number(self.beta_2)
        return (*rounded, self.epsilon, self.beta_1)

    def _slots(self) -> list[list[Slot]]:
        return [[("momentum", 0.0), ("velocity", 0.0)]]

    def _build_numbers(self, variables: list[Any]) -> None:
        dtype = variables[0].dtype.name if variables else None
        self._product = self.add_variable((), "ones", dtype, name="u_product")
