"""state_dict and load_state_dict."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import autograd
import nn
from tests.test_module import Net


def test_state_dict():
    a, b = Net(), Net()
    address = b.scale.data_ptr()
    assert str(b.load_state_dict(a.state_dict())) == "<All keys matched successfully>"
    assert b.scale.data_ptr() == address
    for p, q in zip(a.parameters(), b.parameters(), strict=True):
        np.testing.assert_array_equal(p.detach().numpy(), q.detach().numpy())
    halves = {name: t.numpy().astype("float64") / 2 for name, t in a.state_dict().items()}
    b.load_state_dict(halves)
    assert b.scale.dtype == autograd.float32
    assert b.scale.item() == 0.5
    shared = a.state_dict()["scale"]
    with autograd.no_grad():
        a.scale.fill_(7.0)
    assert shared.item() == 7.0
    assert not shared.requires_grad
    assert a.state_dict(keep_vars=True)["scale"] is a.scale
    into = {"before": autograd.ones(1)}
    assert a.state_dict(destination=into, prefix="net.") is into
    assert list(into)[:2] == ["before", "net.scale"]


def test_load_state_dict_names_what_is_wrong_and_changes_nothing():
    net = Net()
    before = {name: t.numpy().copy() for name, t in net.state_dict().items()}
    wrong = {**before, "scale": np.ones(1, "f"), "one.bias": np.zeros(4), "extra": np.zeros(1)}
    del wrong["count"]
    with pytest.raises(RuntimeError) as error:
        net.load_state_dict(wrong)
    assert str(error.value) == (
        "Error(s) in loading state_dict for Net:\n"
        '\tMissing key(s) in state_dict: "count".\n'
        '\tUnexpected key(s) in state_dict: "extra".\n'
        "\tsize mismatch for one.bias: copying a param with shape (4,) from checkpoint,"
        " the shape in current model is (3,)."
    )
    with pytest.raises(RuntimeError, match="size mismatch"):
        net.load_state_dict(wrong, strict=False)
    for name, t in net.state_dict().items():
        np.testing.assert_array_equal(t.numpy(), before[name])
    del wrong["one.bias"]
    keys = net.load_state_dict(wrong, strict=False)
    assert keys.missing_keys == ["count", "one.bias"]
    assert keys.unexpected_keys == ["extra"]


def test_loading_is_an_in_place_change():
    net = nn.Linear(1, 1)
    x = autograd.ones(1, 1, requires_grad=True)
    out = net(x)
    net.load_state_dict(net.state_dict())
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        out.backward()


def test_assign_takes_over_the_tensors():
    net, state = nn.Linear(2, 1), {"weight": autograd.ones(1, 2), "bias": autograd.zeros(1)}
    net.load_state_dict(state, assign=True)
    assert isinstance(net.weight, nn.Parameter)
    assert net.weight.requires_grad
    assert np.shares_memory(net.weight.detach().numpy(), state["weight"].numpy())
    assert net._parameters["weight"] is net.weight


def test_hooks_of_state():
    seen: list[Any] = []
    net = nn.Sequential(nn.Linear(1, 1), nn.Linear(1, 1))
    net[1].register_state_dict_pre_hook(lambda m, prefix, keep: seen.append((prefix, keep)))
    handle = net[1].register_state_dict_post_hook(
        lambda m, state, prefix, metadata: state.pop(f"{prefix}bias")
    )
    state = net.state_dict()
    assert list(state) == ["0.weight", "0.bias", "1.weight"]
    assert seen == [("1.", False)]
    handle.remove()

    def rename(
        m: Any, state: Any, prefix: str, metadata: Any, strict: bool, *lists: list[str]
    ) -> None:
        state[f"{prefix}bias"] = state.pop("old")

    net[1].register_load_state_dict_pre_hook(rename)
    net.register_load_state_dict_post_hook(lambda m, keys: keys.missing_keys.clear())
    given = {**{k: autograd.full_like(v, 2.0) for k, v in state.items()}, "old": np.full(1, 3.0)}
    del given["0.bias"]
    kept = dict(given)
    keys = net.load_state_dict(given, strict=False)
    assert keys.missing_keys == []
    assert net[1].bias.item() == 3
    assert given.keys() == kept.keys()
    net[0].register_load_state_dict_pre_hook(lambda m, *args: args[-1].append("no."))
    with pytest.raises(RuntimeError, match=r"loading state_dict for Sequential:\n\tno\."):
        net.load_state_dict(given, strict=False)
