"""`optimizer.state` of a fused optimizer: a mapping that reads and writes the kernels' memory."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import TYPE_CHECKING, Any

from autograd import Tensor

if TYPE_CHECKING:
    from optim.rule import Bucket


class Slots(MutableMapping[str, Any]):
    """The state of one parameter by name: tensors that share its memory.  A write copies in."""

    def __init__(self, bucket: Bucket, slot: int):
        self.bucket, self.slot = bucket, slot

    def __getitem__(self, name: str) -> Tensor:
        return self.bucket.saved(self.slot)[name]

    def __setitem__(self, name: str, value: Any) -> None:
        if name not in self:
            raise KeyError(f"optimizer state {name!r}; this optimizer has {list(self)}")
        self.bucket.restore(self.slot, {**self, name: value})

    def __delitem__(self, name: str) -> None:
        raise TypeError(
            f"optimizer state {name!r} cannot be deleted alone; `del optimizer.state[p]` makes a"
            " parameter start anew"
        )

    def __iter__(self) -> Iterator[str]:
        return iter(self.bucket.saved(self.slot))

    def __len__(self) -> int:
        return len(self.bucket.saved(self.slot))

    def __repr__(self) -> str:
        return repr(dict(self))


class State(MutableMapping[Tensor, Any]):
    """The state of every parameter that has any: updated so far, or from the start (Adagrad).

    `state[p] = {...}` takes over values; `del state[p]` and `clear()` start anew.
    """

    def __init__(self, buckets: list[Bucket]):
        self.places = {
            p: (bucket, slot) for bucket in buckets for slot, p in enumerate(bucket.slots)
        }

    def __getitem__(self, p: Tensor) -> Slots | dict[str, Any]:
        bucket, slot = self._place(p)
        return Slots(bucket, slot) if bucket.started(slot) else {}

    def __setitem__(self, p: Tensor, values: Any) -> None:
        bucket, slot = self._place(p)
        bucket.restore(slot, values)

    def __delitem__(self, p: Tensor) -> None:
        self[p] = {}

    def pop(self, p: Tensor, *default: Any) -> Any:
        """Start anew, and return copies of what was there."""
        values = {name: value.clone() for name, value in self[p].items()} if p in self else None
        if values is None:
            return super().pop(p, *default)
        del self[p]
        return values

    def clear(self) -> None:
        """Start every parameter anew."""
        for p in self.places:
            del self[p]

    def __contains__(self, p: object) -> bool:
        return isinstance(p, Tensor) and p in self.places and bool(self[p])

    def __iter__(self) -> Iterator[Tensor]:
        return (p for p, (bucket, slot) in self.places.items() if bucket.started(slot))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return repr(dict(self))

    def _place(self, p: Any) -> tuple[Bucket, int]:
        if p not in self.places:
            raise KeyError(f"optimizer.state: no parameter of this optimizer: {p!r}")
        return self.places[p]
