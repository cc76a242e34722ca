"""Embedding: a table of vectors looked up by index."""

from __future__ import annotations

from typing import Any

from autograd import Tensor, empty, no_grad
from nn import functional, init
from nn.errors import OptionError
from nn.functional.linear import place_of_padding, refuse_sparse
from nn.module import Layer
from nn.parameter import Parameter


class Embedding(Layer):
    """Rows of a table by index: input (...) of integers gives (..., embedding_dim).

    The table starts from N(0, 1).  `padding_idx`: this row starts from 0 and gets no gradient.
    `max_norm`, `norm_type`, `scale_grad_by_freq`: see `functional.embedding`.
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
        _weight: Tensor | None = None,
        _freeze: bool = False,
        device: Any = None,
        dtype: Any = None,
    ):
        super().__init__()
        refuse_sparse(sparse)
        self.num_embeddings, self.embedding_dim = num_embeddings, embedding_dim
        if padding_idx is not None:
            padding_idx = place_of_padding(padding_idx, num_embeddings)
        self.padding_idx = padding_idx
        self.max_norm, self.norm_type = max_norm, norm_type
        self.scale_grad_by_freq, self.sparse = scale_grad_by_freq, False
        if _weight is None:
            table = empty(num_embeddings, embedding_dim, device=device, dtype=dtype)
            self.weight = Parameter(table, requires_grad=not _freeze)
            self.reset_parameters()
        else:
            if _weight.shape != (num_embeddings, embedding_dim):
                raise OptionError(
                    f"Embedding: Shape of weight {_weight.shape} does not match num_embeddings and"
                    f" embedding_dim, {(num_embeddings, embedding_dim)}"
                )
            self.weight = Parameter(_weight, requires_grad=not _freeze)

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        init.normal_(self.weight)
        if self.padding_idx is not None:
            with no_grad():
                self.weight[self.padding_idx] = 0.0

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Tensor,
        freeze: bool = True,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
    ) -> Embedding:
        """A layer whose table is `embeddings` (n, features), not trained unless `freeze=False`."""
        if len(embeddings.shape) != 2:
            raise OptionError(
                "Embedding: Embeddings parameter is expected to be 2-dimensional; got shape"
                f" {embeddings.shape}"
            )
        return cls(
            *embeddings.shape,
            padding_idx,
            max_norm,
            norm_type,
            scale_grad_by_freq,
            sparse,
            _weight=embeddings,
            _freeze=freeze,
        )

    def forward(self, input: Tensor) -> Tensor:
        """The rows."""
        return functional.embedding(
            input,
            self.weight,
            self.padding_idx,
            self.max_norm,
            self.norm_type,
            self.scale_grad_by_freq,
        )

    def extra_repr(self) -> str:
        """The sizes, and the options that are set."""
        parts = [str(self.num_embeddings), str(self.embedding_dim)]
        defaults = {
            "padding_idx": None, "max_norm": None, "norm_type": 2.0, "scale_grad_by_freq": False
        }  # fmt: skip
        parts += [f"{k}={v}" for k in defaults if (v := getattr(self, k)) != defaults[k]]
        return ", ".join(parts)
