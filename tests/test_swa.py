"""Averages of weights: SWA, EMA, their buffers, SWALR, update_bn; against PyTorch."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import autograd
import nn
import optim
from tests.faces import cases, check, data, fill
from tests.test_schedulers import advance, optim_torch, optimizer_of, seen


def buffered(fw: Any) -> Any:
    """A model with a parameter of each shape, a float buffer, and one of integers."""
    model = fw.nn.Sequential(fw.nn.Linear(3, 2), fw.nn.Linear(2, 1, bias=False))
    model.register_buffer("mean", fw.torch.tensor(data(2, seed=9)))
    model.register_buffer("count", fw.torch.tensor(np.array(5)))
    return fill(model)


def averaged(make: Any, **options: Any) -> Any:
    """The average of a model that changes four times."""

    def case(fw: Any) -> dict[str, Any]:
        model, swa = buffered(fw), fw.optim.swa_utils
        average = swa.AveragedModel(model, **make(swa), **options)
        for step in range(4):
            for i, p in enumerate(model.parameters()):
                p.detach()[...] = fw.torch.tensor(data(*p.shape, seed=20 * step + i))
            model.mean[...] = fw.torch.tensor(data(2, seed=step))
            model.count[...] = 2 + 3 * step
            average.update_parameters(model)
        out = average(fw.torch.tensor(data(4, 3, seed=5)))
        return {**average.state_dict(), "out": out, "keys": sorted(average.state_dict())}

    return case


AVERAGES = {
    "swa": lambda s: {},
    "swa one by one": lambda s: dict(avg_fn=s.get_swa_avg_fn()),
    "swa many": lambda s: dict(multi_avg_fn=s.get_swa_multi_avg_fn()),
    "ema": lambda s: dict(multi_avg_fn=s.get_ema_multi_avg_fn(0.9)),
    "ema fast": lambda s: dict(multi_avg_fn=s.get_ema_multi_avg_fn(0.25)),
    "ema one by one": lambda s: dict(avg_fn=s.get_ema_avg_fn(0.75)),
    "by hand": lambda s: dict(avg_fn=lambda a, p, n: (a + p) / 2 + n),
}


def annealed(*args: Any, **options: Any) -> Any:
    def case(fw: Any) -> dict[str, Any]:
        optimizer = optimizer_of(fw.torch, fw.optim.SGD, lr=1.0)
        scheduler = fw.optim.swa_utils.SWALR(optimizer, *args, **options)
        path = [seen(optimizer)]
        for epoch in range(20):
            advance(scheduler, optimizer, epoch)
            path.append(seen(optimizer))
        return {"path": np.round(path, 12), "last": scheduler.get_last_lr()}

    return case


TABLE = {
    **{name: averaged(make) for name, make in AVERAGES.items()},
    "swa buffers": averaged(AVERAGES["swa"], use_buffers=True),
    "ema buffers": averaged(AVERAGES["ema"], use_buffers=True),
    "ema one by one buffers": averaged(AVERAGES["ema one by one"], use_buffers=True),
    "SWALR": annealed(0.05),
    "SWALR linear": annealed([0.05, 2.0], anneal_epochs=7, anneal_strategy="linear"),
    "SWALR at once": annealed(0.05, anneal_epochs=0),
}


@cases(TABLE)
def test_as_pytorch(name: str, case: Any) -> None:
    # PyTorch's share 1 / (n + 1) is a float32 there, also for float64 weights.
    check("swa", name, case, rtol=1e-6 if name == "swa many" else 1e-9)


def statistics(fw: Any) -> dict[str, Any]:
    model = fw.nn.Sequential(fw.nn.Linear(3, 2), fw.nn.BatchNorm1d(2), fw.nn.BatchNorm1d(2))
    model = fill(model)
    model[2].momentum = 0.3
    batches = [fw.torch.tensor(data(n, 3, seed=n)) for n in (4, 6, 5)]
    model.eval()
    fw.optim.swa_utils.update_bn([batches[0], (batches[1], 1), [batches[2]]], model)
    assert not model.training
    assert (model[1].momentum, model[2].momentum) == (0.1, 0.3)
    return model.state_dict()


@pytest.mark.skipif(not hasattr(nn, "BatchNorm1d"), reason="BatchNorm is not there yet")
@cases({"update_bn": statistics})
def test_update_bn_as_pytorch(name: str, case: Any) -> None:
    check("swa", name, case)


def test_update_bn_without_batch_norm_runs_nothing() -> None:
    optim.swa_utils.update_bn(iter(()), nn.Linear(2, 1))
    optim.swa_utils.update_bn([1], nn.Linear(2, 1))


def test_an_average_is_a_module_with_weights_of_its_own() -> None:
    model = nn.Linear(2, 1)
    average = optim.swa_utils.AveragedModel(model, device="cpu")
    assert isinstance(average, nn.Module)
    assert list(average.state_dict()) == ["n_averaged", "module.weight", "module.bias"]
    before = average.module.weight.detach().numpy().copy()
    model.weight.detach()[...] = 7.0
    np.testing.assert_array_equal(average.module.weight.detach().numpy(), before)
    average.update_parameters(model)
    np.testing.assert_array_equal(average.module.weight.detach().numpy(), [[7.0, 7.0]])
    assert average.n_averaged.item() == 1
    assert average.module.weight.requires_grad
    average(autograd.ones(1, 2)).sum().backward()
    for twin in (copy.deepcopy(average), pickle.loads(pickle.dumps(average))):
        model.weight.detach()[...] = 9.0
        twin.update_parameters(model)
        assert twin.module.weight[0, 0].item() == 8.0
        assert average.module.weight[0, 0].item() == 7.0
    again = optim.swa_utils.AveragedModel(model)
    again.load_state_dict(average.state_dict())
    again.update_parameters(model)
    assert again.module.weight[0, 0].item() == 8.0


def test_float32_and_a_share_of_one() -> None:
    model = nn.Linear(30, 7)
    average = optim.swa_utils.AveragedModel(
        model, multi_avg_fn=optim.swa_utils.get_ema_multi_avg_fn(0.0)
    )
    for value in (0.1, 0.7):
        model.weight.detach()[...] = value
        average.update_parameters(model)
    np.testing.assert_array_equal(
        average.module.weight.detach().numpy(), model.weight.detach().numpy()
    )


def test_strided_weights_are_averaged_too() -> None:
    first, second = (autograd.tensor(data(2, 3, seed=i)).t() for i in range(2))
    optim.swa_utils.get_swa_multi_avg_fn()([first], [second], 1)
    expected = (data(2, 3, seed=0) + data(2, 3, seed=1)).T / 2
    np.testing.assert_allclose(first.numpy(), expected)
    assert first.version[0] > 0


def test_refuses() -> None:
    swa, model = optim.swa_utils, nn.Linear(2, 1)
    for make in (swa.get_ema_avg_fn, swa.get_ema_multi_avg_fn):
        for decay in (-0.1, 1.1, float("nan")):
            with pytest.raises(ValueError, match=f"Invalid decay value {decay}"):
                make(decay)
    with pytest.raises(AssertionError, match="Only one of avg_fn and multi_avg_fn"):
        swa.AveragedModel(model, avg_fn=abs, multi_avg_fn=abs)
    with pytest.raises(ValueError, match=r"shapes \[\(1, 3\), \(1,\)\], the average \[\(1, 2\)"):
        swa.AveragedModel(model).update_parameters(nn.Linear(3, 1))
    with pytest.raises(ValueError, match="one of 'cos' or 'linear', instead got exp"):
        swa.SWALR(optimizer_of(optim_torch), 0.1, anneal_strategy="exp")
    with pytest.raises(ValueError, match=r"anneal_epochs must be .* got -1"):
        swa.SWALR(optimizer_of(optim_torch), 0.1, anneal_epochs=-1)
    with pytest.raises(ValueError, match="swa_lr must have the same length"):
        swa.SWALR(optimizer_of(optim_torch), [0.1])
    with pytest.raises(TypeError, match="int is not an Optimizer"):
        swa.SWALR(1, 0.1)


def test_optim_alone_imports_no_nn() -> None:
    code = (
        "import sys, optim; assert 'nn' not in sys.modules;"
        "from optim.swa_utils import AveragedModel; assert 'nn' in sys.modules;"
        "assert optim.swa_utils.AveragedModel is AveragedModel; assert 'numba' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parent.parent)
    with pytest.raises(AttributeError, match="has no attribute 'Averaged'"):
        _ = optim.swa_utils.Averaged
    kind = optim.swa_utils.AveragedModel
    assert (kind.__name__, kind.__module__) == ("AveragedModel", "optim.swa_utils")
    assert "copy of `model`" in kind.__doc__

    class Mine(kind):
        pass

    assert isinstance(Mine(nn.Linear(1, 1)), nn.Module)
