"""The benchmark suite: what it compares, what it refuses to time, what it writes."""

from __future__ import annotations

import importlib
import json
import math
import sys
import xml.etree.ElementTree as ET
from argparse import Namespace
from typing import Any

import numpy as np
import pytest

from benchmarks import (
    __main__ as command,
    compare,
    environments,
    picture,
    processes,
    record,
    report,
    timing,
    workloads,
)
from benchmarks.peers import (
    Built,
    first_losses,
    floor_,
    measure,
    number_of,
    numpy_,
    numpy_tuned,
    ours,
    record_,
    whole,
)
from benchmarks.timing import Peer, Times, agree
from benchmarks.workloads import Case

CASE = Case("xor", "XOR", 3, 1e-3)


class Said:
    """A peer that gives the losses it is told to."""

    def __init__(
        self, name: str, *losses: float, cases: Any = ("xor",), error: str = "", **cannot: str
    ):
        self.name, self.losses, self.error = name, list(losses), error
        self.about = {"cases": cases, "cannot": cannot}

    def ask(self, **request: Any) -> Any:
        if self.error:
            raise RuntimeError(self.error)
        return self.losses


def rows(**times: Any) -> dict[str, Any]:
    """A document: `name=(rounds of the column "compiled")`."""
    made = [
        {"name": name, "title": name, "seconds": {"compiled": report.cell(rounds)}}
        for name, rounds in times.items()
    ]
    return report.document("steps", made)


class TestReport:
    @pytest.mark.parametrize(
        ("seconds", "text"),
        [
            (1.0, "1.00 s"),
            (0.99996, "1.00 s"),
            (4.561e-3, "4.56 ms"),
            (123.4e-6, "123 us"),
            (99.97e-6, "100 us"),
            (2e-9, "2.00 ns"),
            (0.0, "0.00 ns"),
            (math.nan, "-"),
        ],
    )
    def test_units(self, seconds, text):
        assert report.in_units(seconds) == text

    def test_ratios(self):
        assert [report.in_times(r) for r in (0.5, 12.345, 1870.2)] == ["0.500x", "12.3x", "1,870x"]

    def test_markdown_takes_sequences_and_mappings(self):
        text = report.markdown([("a", 1.23456), {"y": "b|c"}], ("x", "y"))
        assert text.splitlines() == ["| x | y |", "|---|---|", "| a | 1.235 |", "|  | b\\|c |"]

    def test_markdown_counts_cells(self):
        with pytest.raises(ValueError, match="1 cells for 2 columns"):
            report.markdown([("a",)], ("x", "y"))

    def test_spread_is_half_the_quartile_distance(self):
        assert Times([1.0, 2.0, 3.0, 4.0, 5.0]).spread == pytest.approx(1 / 3)
        assert Times([1.0]).spread == 0

    def test_save_and_load(self, tmp_path):
        document = rows(xor=[1.0, 2.0, 3.0])
        report.save(tmp_path / "new" / "a.json", document)
        assert report.load(tmp_path / "new" / "a.json") == document
        assert [p.name for p in (tmp_path / "new").iterdir()] == ["a.json"]
        assert {"suite", "date", "machine", "versions", "rows"} <= set(document)

    @pytest.mark.parametrize(
        ("text", "words"), [("{", "not JSON"), ("[]", "not written by --save")]
    )
    def test_load_refuses(self, tmp_path, text, words):
        (tmp_path / "a.json").write_text(text)
        with pytest.raises(ValueError, match=words):
            report.load(tmp_path / "a.json")

    def test_two_rows_of_one_name(self):
        with pytest.raises(ValueError, match="one name"):
            report.document("x", [{"name": "a"}, {"name": "a"}])

    @pytest.mark.parametrize(
        ("old", "new", "control", "verdict"),
        [
            ([1.0] * 3, [1.5] * 3, [1.0] * 3, "slower"),
            ([1.0] * 3, [0.5] * 3, [1.0] * 3, "faster"),
            ([1.0] * 3, [1.5] * 3, [1.5] * 3, "same"),  # the whole machine is slower
            ([1.0] * 3, [1.0] * 3, [1.5] * 3, "faster"),
            ([1.0] * 3, [1.02] * 3, [1.0] * 3, "same"),
            ([1.0, 1.0, 2.0], [1.0, 1.2, 3.0], [1.0] * 3, "same"),  # within the spread
            ([1.0] * 3, [1.5] * 3, [0.5, 1.0, 3.0], "same"),  # the control is not to be trusted
            ([1.0] * 2, [9.0] * 2, [1.0] * 3, "unsure"),
        ],
    )
    def test_verdicts(self, old, new, control, verdict):
        before = rows(xor=old, control_python=[1.0] * 3)
        after = rows(xor=new, control_python=control)
        found = {c["name"]: c["verdict"] for c in report.changes(before, after)}
        assert found == {"xor": verdict, "control_python": "control"}

    def test_against_another_suite(self):
        with pytest.raises(ValueError, match="old run is of steps, this one of ops"):
            report.changes(rows(), {**rows(), "suite": "ops"})

    def test_deliver_says_what_is_slower(self, tmp_path, capsys):
        old, new = rows(xor=[1.0] * 3), rows(xor=[2.0] * 3)
        file, table = tmp_path / "run.json", tmp_path / "table.md"
        report.save(file, old)
        args = Namespace(save=file, against=file, markdown=table, picture=None)
        assert report.deliver(args, new, "the table") == 1
        assert (
            "| xor | compiled | 1.00 s | 2.00 s | 2.000 | 2.000 | slower |"
            in capsys.readouterr().out
        )
        assert report.load(file) == new
        assert table.read_text() == "the table\n"
        report.save(file, old)
        assert report.deliver(args, {**new, "ours": ["loop"]}, "") == 0  # a peer that got slower


class TestAgreement:
    def test_only_equal_losses_are_timed(self):
        peers: Any = [
            Said("a", 3.0, 2.0, 1.0),
            Said("b", 3.0, 2.0, 1.0001),
            Said("c", 3.0, 2.1, 1.0),
            Said("d", 3.0, math.nan, 1.0),
            Said("e", 3.0),
            Said("f", error="ValueError: no"),
            Said("floor"),
            Said("g", cases=(), xor="it has no layers"),
            Said("h", cases=()),
        ]
        found = agree(CASE, peers)
        assert found.able == ["a", "b", "floor"]
        assert found.wrong == ["c", "d", "e"]
        assert found.without == {
            "c": "loss 1 is 2.1, that of a 2.0",
            "d": "loss 1 is nan, that of a 2.0",
            "e": "1 losses where a has 3",
            "f": "ValueError: no",
            "g": "it has no layers",
        }
        assert found.difference == pytest.approx(1e-4, rel=1e-2)

    def test_a_nan_of_the_first_is_no_agreement(self):
        peers: Any = [Said("a", math.nan), Said("b", math.nan)]
        assert agree(CASE, peers).able == []

    def test_a_peer_that_fails_later_is_left_out(self):
        well, ill = Said("a", 1.0), Said("b", 1.0)
        well.ask = lambda **request: 2.0  # type: ignore[method-assign]
        ill.error = "it ended"
        found = {"xor": timing.Agreement(able=["a", "b"])}
        peers: Any = [well, ill]
        results = timing.run([CASE], peers, 2, 0.0, found)
        assert found["xor"].able == ["a"]
        assert found["xor"].without == {"b": "it ended"}
        assert {name: list(row) for name, row in results.items()} == {
            "xor": ["a"],
            "control_python": ["a"],
            "control_numpy": ["a"],
        }
        assert results["xor"]["a"].rounds == [2.0, 2.0]

    def test_many_losses_of_one_call(self):
        calls = []
        built = Built(lambda: calls.append(1) or np.arange(4.0), steps=4)
        assert first_losses(built, 6, number_of) == [0, 1, 2, 3, 0, 1]
        assert len(calls) == 2
        assert first_losses(Built(lambda: 2.5), 2, number_of) == [2.5, 2.5]

    def test_logits_and_probabilities_compare(self):
        z = np.array([[1.0, 2.0, 4.0]])
        p = np.exp(z) / np.exp(z).sum()
        assert number_of(z) == pytest.approx(number_of(np.log(p)))

    def test_measure_waits_and_counts_steps(self):
        waited = []
        built = Built(lambda: 7, steps=10, wait=waited.append)
        assert measure(built, 1e-4) > 0
        assert set(waited) == {7}


class TestWorkloads:
    @pytest.mark.parametrize("case", [*workloads.CASES, *workloads.SMALL], ids=lambda c: c.name)
    def test_each_case_is_ours_too(self, case):
        made = getattr(workloads, case.name)()
        assert set(case.check) <= set(made)
        assert case.name in ours.CASES

    def test_targets_name_cases_and_columns(self):
        names = {case.name for case in workloads.CASES}
        for target in workloads.TARGETS:
            assert target.case in names
            assert {target.column, target.peer} <= set(environments.KINDS)

    @pytest.mark.parametrize(
        ("name", "modules"),
        [
            ("xor", (numpy_, numpy_tuned)),
            ("digits", (numpy_, numpy_tuned)),
            ("moons_tensors", (numpy_,)),
            ("predict", (numpy_,)),
            ("product_1", (numpy_,)),
        ],
    )
    def test_first_losses(self, name, modules):
        case = next(c for c in (*workloads.CASES, *workloads.SMALL) if c.name == name)

        def losses(module: Any) -> list[float]:
            made = module.CASES[name](getattr(workloads, name)())
            built = made if isinstance(made, Built) else Built(made)

            def value(x: Any) -> Any:
                x = x[0] if isinstance(x, tuple) else x
                return number_of(x.detach().numpy() if module is ours else x)

            return first_losses(built, case.losses, value)

        expected = losses(ours)
        assert all(map(math.isfinite, expected))
        for module in modules:
            assert losses(module) == pytest.approx(expected, rel=case.tolerance)

    @pytest.mark.parametrize(("name", "products"), [("xor", 5), ("mlp", 8), ("predict", 2)])
    def test_the_floor_is_the_products(self, name, products, monkeypatch):
        shapes = []

        def matmul(a: Any, b: Any, out: Any) -> Any:
            shapes.append((a.shape, b.shape))
            return np.matmul(a, b, out)

        made = getattr(workloads, name)()
        monkeypatch.setattr(floor_, "np", Namespace(**{**vars(np), "matmul": matmul}))
        floor_.CASES[name](made).step()
        assert len(shapes) == products
        work = sum(2 * a[0] * a[1] * b[1] for a, b in shapes)
        rows, sizes = made["x"].shape[-2], [w.size for w, _ in made["layers"]]
        passes = 1 if name == "predict" else 3
        assert work == 2 * rows * (passes * sum(sizes) - (passes > 1) * sizes[0])

    def test_a_target_is_met_or_not(self):
        row = {"seconds": {"compiled": report.cell([1.0]), "JAX jit": report.cell([3.0])}}
        at_least = workloads.Target("xor", "compiled", "JAX jit", 4)
        at_most = workloads.Target("xor", "compiled", "JAX jit", 0.5, most=True)
        assert compare.reached(at_least, row) == (3.0, False)
        assert compare.reached(at_most, row) == (pytest.approx(1 / 3), True)
        assert compare.reached(at_least, {"seconds": {}}) is None


class TestEnvironments:
    def test_command_line_over_file(self, tmp_path, monkeypatch):
        file = tmp_path / "peers.json"
        file.write_text(json.dumps({"torch": sys.executable, "jax": sys.executable}))
        monkeypatch.setenv(environments.VARIABLE, str(file))
        other = tmp_path / "python"
        other.touch()
        found = environments.pythons([f"torch={other}"])
        assert found == {"torch": str(other), "jax": sys.executable}

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("torch", "expected NAME=PATH"),
            ("tensorflow=python", "no environment 'tensorflow'; there are torch, jax"),
            ("torch=/nowhere/python", "the Python of torch is not there"),
        ],
    )
    def test_wrong_python(self, text, words, monkeypatch):
        monkeypatch.delenv(environments.VARIABLE, raising=False)
        with pytest.raises(ValueError, match=words):
            environments.pythons([text])

    @pytest.mark.parametrize(("text", "words"), [("{", "peers.json"), ("[]", "expected an object")])
    def test_wrong_file(self, text, words, tmp_path, monkeypatch):
        (tmp_path / "peers.json").write_text(text)
        monkeypatch.setenv(environments.VARIABLE, str(tmp_path / "peers.json"))
        with pytest.raises(ValueError, match=words):
            environments.pythons([])

    def test_hips_autograd_is_never_looked_for_here(self):
        kind = environments.KINDS["HIPS autograd"]
        assert environments.python_of(kind, {}) is None
        assert environments.python_of(kind, {"hips": "/x"}) == "/x"

    def test_a_missing_peer_is_named(self, capsys):
        kinds = (environments.Kind("ghost", "floor_", "others", (), "no_such_package"),)
        peers, missing = environments.start(kinds, {})
        assert peers == []
        assert "--python others=PATH" in missing["ghost"]
        assert "without ghost" in capsys.readouterr().err

    def test_a_peer_that_cannot_start_says_why(self):
        with pytest.raises(RuntimeError, match="No module named"):
            Peer("ghost", "no_such_module", sys.executable)

    def test_unknown_peer(self):
        with pytest.raises(ValueError, match="no peer \\['Theano'\\]"):
            environments.chosen(environments.OTHERS, ["Theano"])

    def test_one_thread(self):
        found = timing.environment(1)
        assert found["OMP_NUM_THREADS"] == found["TF_NUM_INTRAOP_THREADS"] == "1"


class TestCommand:
    def test_suites_exist(self):
        for name in set(command.MODULES.values()):
            assert callable(importlib.import_module(f"benchmarks.{name}").main)

    def test_help_and_mistakes(self, capsys):
        assert command.main([]) == command.main(["--help"]) == 0
        assert command.main(["speed"]) == 2
        assert "no suite 'speed'" in capsys.readouterr().err

    @pytest.mark.parametrize(
        "arguments",
        [
            ["steps", "--only", "nothing"],
            ["steps", "--peers", "nobody"],
            ["processes", "--only", "x"],
        ],
    )
    def test_wrong_options(self, arguments, capsys):
        with pytest.raises(SystemExit) as found:
            command.main(arguments)
        assert found.value.code == 2
        assert "there are" in capsys.readouterr().err

    def test_a_whole_run(self, tmp_path, capsys, monkeypatch):
        monkeypatch.setattr(compare, "OURS", environments.OURS[:1])  # each takes a second to start
        file, table = tmp_path / "run.json", tmp_path / "table.md"
        options = ["--rounds", "1", "--seconds", "0.002", "--only", "xor", "--peers", "NumPy"]
        files = ["--json", str(file), "--markdown", str(table)]
        assert command.main(["steps", *options, *files]) == 0
        document = report.load(file)
        assert document["columns"] == ["compiled", "floor", "NumPy"]
        assert document["ours"] == ["compiled"]
        first = document["rows"][0]
        assert set(first["seconds"]) == set(document["columns"])
        assert 0 < first["loss_difference"] < 1e-4
        assert {r["name"] for r in document["rows"]} == {"xor", "control_python", "control_numpy"}
        out = capsys.readouterr().out
        assert out.strip() == table.read_text().strip()
        assert "| xor | compiled | >= 50x as fast as NumPy |" in out
        assert "not measured" in out


class TestProcesses:
    def test_a_program_trains(self):
        program = processes.Program("NumPy", "numpy_", epochs=100)
        found = processes.train(program, sys.executable, processes.weights())
        step = numpy_.xor(workloads.xor())
        expected = [step() for _ in range(100)][99]
        assert found["losses"] == pytest.approx([expected, expected], rel=1e-4)
        assert found["seconds"] > 0
        assert 5e6 < found["bytes"] < 5e8

    def test_the_same_program_in_ours(self, monkeypatch):
        monkeypatch.setattr(whole, "EPOCHS", 100)
        monkeypatch.setattr(whole, "W", json.loads(processes.weights()))
        expected = whole.numpy_()
        assert whole.ours() == pytest.approx(expected, rel=1e-3)
        assert whole.ours_compiled() == whole.ours()

    def test_a_program_that_fails_says_why(self):
        with pytest.raises(RuntimeError, match="ValueError: no"):
            processes.launch(sys.executable, "-c", "raise ValueError('no')", given="")

    def test_limits(self):
        program = processes.Program("compiled", "ours", most_seconds=1.0, most_bytes=100.0)
        made = processes._rows([program], {"compiled": Times([0.5])}, {"compiled": [200.0]})
        assert made[0]["met"] is False
        assert "compiled" in processes.text_of(made, {"JAX": "not installed here"})


class TestRecord:
    def test_what_replays_cost_is_taken_off(self):
        assert record.before_replay([5.0, 3.0, 9.0, 1.0, 1.0, 1.0]) == pytest.approx(6.0)

    def test_calls(self, monkeypatch):
        monkeypatch.setattr(ours, "COMPILED", True)
        assert len(record_.calls("xor", 4)) == 4


class TestPicture:
    def test_without_matplotlib(self, monkeypatch, tmp_path):
        monkeypatch.setitem(sys.modules, "matplotlib", None)
        with pytest.raises(SystemExit, match="pip install 'tapegrad\\[benchmarks\\]'"):
            picture.draw(rows(xor=[1.0]), tmp_path / "a.svg")

    def test_nothing_to_draw(self, tmp_path):
        with pytest.raises(ValueError, match="no times"):
            picture.draw(rows(control_python=[1.0]), tmp_path / "a.svg")

    @pytest.mark.parametrize("kind", ["bars", "column", "lines"])
    def test_it_draws(self, kind, tmp_path):
        pytest.importorskip("matplotlib")
        document = rows(xor=[1e-6], digits=[1e-5], mlp=[1e-3])
        for i, row in enumerate(document["rows"]):
            if kind != "column":
                row["seconds"]["floor"] = report.cell([2e-6])
            if kind == "lines":
                row.update(sweep="width", size=2**i)
        picture.draw(document, tmp_path / "a.svg")
        words = "".join(ET.parse(tmp_path / "a.svg").getroot().itertext())
        assert "tapegrad, compiled" in words or kind == "column"
        assert "width" in words or kind != "lines"
