"""The suites ops, overhead and scaling: that they measure what they say; no times are judged."""

from __future__ import annotations

import itertools
import json
import math

import numpy as np
import pytest

import autograd
from autograd.op import TABLE
from benchmarks import ops, overhead, probes, scaling
from benchmarks.peers import scaling_
from benchmarks.report import cell, in_units
from benchmarks.samples import call_of
from benchmarks.stopwatch import Controls, measure, number_for, warn_if_busy

SOME = ("relu", "add", "linear", "softmax", "index", "reshape", "dropout_mask", "argmax")


@pytest.mark.parametrize("op", TABLE.values(), ids=list(TABLE))
def test_every_op_has_a_call_of_about_that_size(op):
    small, large = call_of(op), call_of(op, 1_000)
    assert small.elements <= 300, "the first sample of an op is a small one"
    grows = any(n > 1 for x in small.inputs if x is not None for n in np.shape(x))
    if grows:
        assert 500 <= large.elements <= 2_000
    for call in (small, large):
        assert tuple(call.meta) == op.names
        found = op(*ops.tensors_of(call, False), **call.meta)
        assert max(call.elements, 1) >= found.numel()


def test_a_call_is_the_same_each_time():
    one, two = (call_of(TABLE["embedding"], 10_000) for _ in range(2))
    for a, b in zip(one.inputs, two.inputs, strict=True):
        np.testing.assert_array_equal(a, b)
    assert one.inputs[1].max() > 2, "indices reach the rows that were added"


@pytest.mark.parametrize("name", SOME)
@pytest.mark.parametrize("size", ["tiny", "1k"])
def test_every_column_gives_what_the_reference_gives(name, size):
    call = call_of(TABLE[name], ops.SIZES[size])
    if "stream" in call.meta:
        return
    out = np.zeros_like(TABLE[name](*ops.tensors_of(call, False), **call.meta).numpy())
    expected = call.reference()
    found = ops.bare(call, out)()
    np.testing.assert_allclose(found if TABLE[name].view else out, expected, rtol=1e-4)
    for column, run in ops.runs_of(call).items():
        if column in ("NumPy", "kernel"):
            continue
        for _ in range(4):  # recorded twice, then replayed
            np.testing.assert_allclose(run().numpy(), expected, rtol=1e-4, err_msg=column)


def test_backward_gives_the_gradients_and_does_not_add_them_up():
    call = call_of(TABLE["mul"])
    inputs = ops.tensors_of(call, True)
    assert all(t.requires_grad for t in inputs)
    assert ops.with_backward(call_of(TABLE["argmax"])) is None
    seen: list[str] = []
    run = ops.with_backward(call)
    with autograd.observe(lambda op, inputs, meta, result: seen.append(op.name)):
        run()
        run()
    assert seen.count("mul") == 6, "twice: forward, and a product for each input"
    assert "add" not in seen


def test_a_wrong_op_is_found_before_it_is_timed(monkeypatch):
    call = call_of(TABLE["exp"])
    ops.compare(call)
    monkeypatch.setattr(type(call), "reference", lambda self: self.inputs[0] * 2)
    with pytest.raises(ValueError, match=r"exp 3x4: eager is not what its reference gives"):
        ops.compare(call)


def test_an_op_that_fails_is_a_row_with_its_error(monkeypatch):
    def broken(call):
        raise ValueError("no")

    monkeypatch.setattr(ops, "compare", broken)
    row, *rest = ops.rows_of([TABLE["relu"]], ["tiny"], 1, 1e-5)
    assert not rest
    assert row["error"] == "ValueError: no"
    assert row["seconds"] == {}
    assert "relu[tiny]: ValueError: no" in ops.summary([row])


def test_what_takes_too_long_is_left_out_from_then_on(monkeypatch):
    monkeypatch.setattr(ops, "LIMIT", 1e-9)
    rows = list(ops.rows_of([TABLE["neg"]], ["tiny", "1k", "1M"], 1, 1e-5))
    assert [row["left_out"] for row in rows] == [[], sorted(ops.COLUMNS), sorted(ops.COLUMNS)]
    assert rows[0]["seconds"].keys() == set(ops.COLUMNS)
    assert not rows[2]["seconds"]


def _row(name, size="1M", **seconds):
    return {
        "name": f"{name}[{size}]",
        "op": name,
        "title": name,
        "size": size,
        "seconds": {column: cell([s, 2 * s]) for column, s in seconds.items()},
    }


def test_who_is_slower_than_numpy():
    rows = [
        _row("a", NumPy=1e-3, kernel=1.6e-3, eager=1.4e-3),
        _row("b", NumPy=1e-3, kernel=1.4e-3, eager=1.51e-3),
        _row(
            "c", NumPy=1e-6, kernel=1e-6, eager=4e-6
        ),  # a call of the engine is not held against it
        _row("d", kernel=1.0),  # its reference was too slow to be waited for
    ]
    assert [row["op"] for _, row in ops.slow(rows, "kernel")] == ["a"]
    assert [row["op"] for _, row in ops.slow(rows, "eager")] == ["b"]
    text = ops.summary(rows)
    assert "1M, kernel: 1 of 3 ops" in text
    assert f"1.60x  a: {in_units(1.6e-3)}, NumPy {in_units(1e-3)}" in text
    assert "compiled" not in text


def test_ops_from_the_command_line(tmp_path, capsys):
    file = tmp_path / "ops.json"
    arguments = ["--only", "relu", "sum", "--sizes", "tiny", "1k", "--rounds", "2"]
    arguments += ["--seconds", "1e-4", "--save", str(file)]
    assert ops.main(arguments) == 0
    rows = {row["name"]: row for row in json.loads(file.read_text())["rows"]}
    assert {"relu[tiny]", "relu[1k]", "sum[tiny]", "control_python", "control_numpy"} <= set(rows)
    assert set(rows["relu[1k]"]["seconds"]) == set(ops.COLUMNS)
    assert "| relu 3x4 |" in capsys.readouterr().out
    ops.main([*arguments, "--against", str(file)])
    assert "verdict" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        ops.main(["--only", "no_such_op"])
    assert "no op no_such_op in the table" in capsys.readouterr().err


def test_measure_takes_turns():
    turns = []
    runs = {name: (lambda name=name: turns.append(name)) for name in "ab"}
    cells = measure(runs, 3, 1e-5)
    assert [len(cells[name]["rounds"]) for name in "ab"] == [3, 3]
    changes = sum(a != b for a, b in itertools.pairwise(turns))
    assert changes == 1 + 4, "a b to find their numbers, then a b, b a, a b"
    assert number_for(lambda: sum(range(1000)), 1e-3) >= 1


def test_a_busy_machine_is_said(monkeypatch, capsys):
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    for load, said in ((1.9, False), (2.1, True)):
        monkeypatch.setattr("os.getloadavg", lambda load=load: (load, 0.0, 0.0), raising=False)
        warn_if_busy()
        assert ("on 4 cores" in capsys.readouterr().err) is said


def test_costs_are_measured_in_turn():
    names = {
        "numpy_add",
        "apply_grad",
        "node_backward",
        "replay_2",
        "instruction_ufunc",
        "plan_xor",
    }
    costs = [cost for cost in overhead.COSTS if cost.name in names]
    assert len(costs) == len(names)
    controls = Controls()
    rows = overhead.measured(costs, 2, 1e-3, controls)
    assert [row["name"] for row in rows] == [cost.name for cost in costs]
    assert all(math.isfinite(row["seconds"]["here"]["median"]) for row in rows)
    text = overhead.text_of([*rows, *controls.rows("here")])
    assert "NumPy: add of 4 numbers" in text
    assert "control" in text


def test_a_slope_leaves_out_what_both_chains_have():
    class Clock:
        now = 0.0

    def chain(links):
        def run():
            Clock.now += 5.0 + 2.0 * links  # a cost of its own, and one per link

        return run

    def timed(run, number):
        start = Clock.now
        for _ in range(number):
            run()
        return (Clock.now - start) / number

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(overhead, "timed", timed)
        patch.setattr(overhead, "number_for", lambda run, seconds: 3)
        assert overhead.slope(chain)(1.0) == pytest.approx(2.0)
        assert overhead.slope(chain, lambda n: lambda: chain(n // 2)())(1.0) == pytest.approx(1.0)


def test_recording_ends_with_a_plan():
    step, arguments = overhead.training_step("xor")
    fast = autograd.compile(step)
    for _ in range(4):
        fast(*arguments)
    assert fast.plan is not None
    assert math.isfinite(overhead.recording("xor", True)(1e-3))


def test_probes_count_what_is_held():
    held, made = probes.traced(lambda: np.zeros(10_000, np.uint8))
    assert 10_000 <= held < 12_000
    assert made.size == 10_000
    assert probes.bytes_result() >= 16
    assert 0 < probes.bytes_node() < 5_000
    assert probes.resident() > 1e6
    assert probes.peak() >= 0.9 * probes.resident()
    for name in probes.MEMORY:
        assert callable(getattr(probes, name))


def test_processes_are_timed_and_say_why_they_fail(monkeypatch):
    assert probes.seconds_of("control_process") > 0
    monkeypatch.setitem(probes.PROCESSES, "broken", probes.Process("", "raise ValueError('oh')"))
    with pytest.raises(RuntimeError, match="oh"):
        probes.seconds_of("broken")


def test_a_process_without_bytecode_has_only_ours_to_write(monkeypatch):
    code = "import autograd, os, numpy; assert not os.path.exists('nn/__pycache__'), os.getcwd()"
    monkeypatch.setitem(probes.PROCESSES, "cold", probes.Process("", code, "bytecode"))
    assert probes.seconds_of("cold") > 0


def test_bytes_for_readers():
    assert [overhead.in_bytes(b) for b in (3, 1_500, 2.5e7, -2e3)] == [
        "3 B", "1.5 kB", "25 MB", "-2 kB",
    ]  # fmt: skip
    row = {"name": "m", "title": "memory", "seconds": {}, "bytes": {"here": cell([100.0])}}
    before = {"rows": [{**row, "bytes": {"here": cell([90.0])}}]}
    assert "| memory | 100 B | 90 B |" in overhead.text_of([row], before)


def test_scaling_builds_the_same_net_for_all():
    w = scaling_.workload(4, 8, 3)
    assert [weight.shape for weight, _ in w["layers"]] == [(8, 8), (8, 8), (8, 8), (10, 8)]
    assert w["x"].shape == (2, 4, 8)
    again = scaling_.workload(4, 8, 3)
    np.testing.assert_array_equal(w["layers"][0][0], again["layers"][0][0])


def test_scaling_measures_the_peers(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(scaling, "SWEEPS", {"batch": (1, 8)})
    monkeypatch.setattr(scaling, "PARALLEL", ({"batch": 2, "width": 4, "depth": 1},))
    file = tmp_path / "scaling.json"
    arguments = ["--threads", "1", "--rounds", "1", "--seconds", "0.005", "--save", str(file)]
    kinds = [kind for kind in scaling.KINDS if kind.name != "PyTorch"]
    monkeypatch.setattr(scaling, "KINDS", kinds)
    assert scaling.main(arguments) == 0
    rows = {row["name"]: row for row in json.loads(file.read_text())["rows"]}
    assert set(rows) == {
        "batch[1]x1", "batch[8]x1", "models[1]x4", "models[2]x4", "models[4]x4",
        "control_pythonx1", "control_numpyx1",
    }  # fmt: skip
    assert set(rows["batch[8]x1"]["seconds"]) == {"compiled", "tapegrad", "floor"}
    assert set(rows["models[2]x4"]["seconds"]) == {"compiled", "tapegrad"}
    assert "compiled over the floor of its products" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        scaling.main(["--only", "height"])


class _Liar:
    def __init__(self, name, losses, floor=False):
        self.name, self.losses, self.about = name, losses, {"floor": floor}

    def ask(self, **request):
        return self.losses


def test_scaling_compares_losses_first():
    case = scaling.Case("batch", scaling.BASE, 1)
    peers = [_Liar("a", [1.0, 0.5]), _Liar("b", [1.0, 0.5001]), _Liar("floor", [], floor=True)]
    scaling.compare(case, peers)
    with pytest.raises(RuntimeError, match=r"batch\[32\]x1: c has the losses"):
        scaling.compare(case, [*peers, _Liar("c", [1.0, 0.6])])
    with pytest.raises(RuntimeError, match="d has the losses"):
        scaling.compare(case, [*peers, _Liar("d", [1.0, float("nan")])])


def _scaled(size, compiled, torch, threads=1):
    seconds = {"compiled": cell([compiled]), "PyTorch": cell([torch]), "floor": cell([1.0])}
    name = f"batch[{size}]x{threads}"
    return {"name": name, "sweep": "batch", "size": size, "threads": threads, "seconds": seconds}


def test_where_the_advantage_vanishes():
    rows = [_scaled(1, 1.0, 100.0), _scaled(64, 2.0, 4.0), _scaled(512, 5.0, 5.0)]
    assert scaling.ratios(rows, "batch", 1, "PyTorch", "compiled") == ((1, 64, 512), (100, 2, 1))
    assert scaling.ratios(rows, "batch", 2, "PyTorch", "compiled") == ((), ())
    text = scaling.summary(rows)
    assert "compiled 100x PyTorch's speed at 1, 1.00x at 512; below 1.1x from 512 on" in text
    assert "never below 1.1x" in scaling.summary(rows[:2])


def test_the_picture(tmp_path):
    pytest.importorskip("matplotlib")
    rows = [_scaled(n, 1.0, 8.0 / n, t) for n in (1, 2, 4) for t in (1, 2)]
    scaling.draw(rows, tmp_path / "scaling.png")
    assert (tmp_path / "scaling.png").stat().st_size > 5_000
