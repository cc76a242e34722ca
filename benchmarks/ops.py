"""Every op of the table, at three sizes, against its NumPy reference: `python -m benchmarks ops`.

    NumPy                  the op's `ref`, as a user of NumPy would write it
    kernel                 what the op runs, into memory that is there, without the engine
    eager                  a call, its inputs requiring no gradient
    eager + backward       a call, and the gradients of all its inputs
    compiled               the replay of a step of that call; its result is copied out
    compiled + backward    the replay of a step of both; the gradients stay in the plan's memory

The inputs are the table's own samples, made larger (`benchmarks.samples`).  Before an op is timed
its results are compared with the reference.  At the end stands which ops lose against NumPy.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

import autograd
from autograd import kernel
from autograd.op import TABLE, Op
from autograd.tensor import Tensor
from benchmarks.report import deliver, document, in_times, in_units, options, table
from benchmarks.samples import Call, call_of
from benchmarks.stopwatch import Controls, Run, measure, undisturbed, warn_if_busy

Row = dict[str, Any]

SIZES = {"tiny": 0, "1k": 1_000, "1M": 1_000_000}
"""Elements of the largest array; "tiny" is the sample as it is."""
COLUMNS = ("NumPy", "kernel", "eager", "eager + backward", "compiled", "compiled + backward")
SLOW = 1.5
"""Times NumPy's: what takes longer is listed."""
CALL = {"kernel": 0.0, "eager": 3e-6, "compiled": 3e-6}
"""Seconds of a call of the engine itself (`benchmarks.overhead`), which are not held against an op:
next to one ufunc of 0.5 us on a tiny array, every op would be listed."""
COPIED = 100_000
"""Elements from which copying the result out is what a replay of one op costs."""
LIMIT = 5.0
"""Seconds of one call that are still waited for, foreseen from the size before."""


def tensors_of(call: Call, grad: bool) -> list[Any]:
    """The inputs as Tensors without a copy; with `grad`, those that have a gradient require it."""
    found = []
    for place, x in enumerate(call.inputs):
        if isinstance(x, np.ndarray):
            wanted = grad and x.dtype.kind == "f" and bool(call.op.vjp)
            x = Tensor.wrap(x).requires_grad_(wanted and call.op.vjp_of(place) is not None)
        found.append(x)
    return found


def bare(call: Call, out: np.ndarray) -> Run:
    """What the op launches, into `out`; inputs are made contiguous and of one shape beforehand."""
    op, values, meta = call.op, call.inputs, call.meta
    if op.view:
        return lambda: op.kernel(values[0], **meta)
    if isinstance(op.kernel, np.ufunc):
        return lambda: op.kernel(*values, out=out)
    if not isinstance(op.kernel, kernel.Kernel):
        return lambda: op.kernel(out, *values, **meta)
    flat = [np.broadcast_to(v, out.shape).ravel() if op.broadcasts else v.ravel() for v in values]
    target, numbers = out.ravel(), tuple(meta.values())
    return lambda: op.kernel.run(target, *flat, *numbers)


def with_backward(call: Call) -> Run | None:
    """The op and the gradients of its inputs in their `.grad`; None where there is none."""
    inputs, meta, op = tensors_of(call, True), call.meta, call.op
    sources = [t for t in inputs if isinstance(t, Tensor) and t.requires_grad]
    first = op(*inputs, **meta)
    if not first.requires_grad:
        return None
    seed = autograd.ones_like(first.detach())

    def both() -> Any:
        for t in sources:
            t.grad = None
        out = op(*inputs, **meta)
        out.backward(seed)
        return out.detach()

    return both


def runs_of(call: Call) -> dict[str, Run]:
    """What is timed, by column."""
    op, meta = call.op, call.meta
    inputs = tensors_of(call, False)
    out = np.array(op(*inputs, **meta).numpy())
    found: dict[str, Run] = {"NumPy": call.reference}
    if kernel.JIT or op.view:
        found["kernel"] = bare(call, out)

    def eager() -> Any:
        return op(*inputs, **meta)

    found["eager"] = eager
    both = with_backward(call)
    if both is not None:
        found["eager + backward"] = both
    found["compiled"] = autograd.compile(eager)
    again = with_backward(call)  # with leaves of its own: a plan keeps their gradients
    if again is not None:
        found["compiled + backward"] = autograd.compile(again)
    return found


def compare(call: Call) -> None:
    """Compare the op, eager and compiled, with its reference; ValueError where they differ."""
    if "stream" in call.meta:
        return  # each call draws other numbers
    op, inputs = call.op, tensors_of(call, False)
    expected = np.asarray(call.reference())

    def step() -> Any:
        return op(*inputs, **call.meta)

    fast = autograd.compile(step)
    for name, run in (("eager", step), ("compiled", fast), ("compiled", fast), ("compiled", fast)):
        found = run().numpy()
        finite = np.abs(expected[np.isfinite(expected)].astype(np.float64))
        room = 1e-4 * max(1.0, float(finite.max(initial=0)))
        close = found.shape == expected.shape and np.allclose(
            found, expected, rtol=1e-3, atol=room, equal_nan=True
        )
        if not close:
            raise ValueError(f"{op.name} {call.shapes}: {name} is not what its reference gives")


def rows_of(ops: Sequence[Op], sizes: Sequence[str], rounds: int, seconds: float) -> Iterator[Row]:
    """A row per op and size.  `left_out`: columns that would take too long; `error`: why none."""
    for op in ops:
        before: dict[str, float] = {}
        late: set[str] = set()
        known = 0
        for size in sizes:
            row: Row = {"name": f"{op.name}[{size}]", "op": op.name, "size": size, "seconds": {}}
            try:
                call = call_of(op, SIZES[size])
                row |= {"title": f"{op.name} {call.shapes}", "elements": call.elements}
                growth = call.elements / known if known else 1
                late |= {name for name, s in before.items() if s * growth > LIMIT}
                if "NumPy" not in late:
                    compare(call)
                runs = {name: run for name, run in runs_of(call).items() if name not in late}
                gc.collect()
                row["seconds"] = measure(runs, rounds, seconds)
                row["left_out"] = sorted(late)
                before = {name: found["median"] for name, found in row["seconds"].items()}
                known = call.elements
            except Exception as error:  # said in the row, and the others go on
                row.setdefault("title", op.name)
                row["error"] = f"{type(error).__name__}: {error}"
            yield row


def least(row: Row, column: str) -> float:
    """The least of the rounds: what the verdict is spoken on.

    With 2,000 comparisons and a busy machine, medians accuse some op in every run.
    """
    return min(row["seconds"][column]["rounds"])


def slow(rows: Sequence[Row], column: str, limit: float = SLOW) -> list[tuple[float, Row]]:
    """The rows where `column` takes more than `limit` times NumPy's time, the worst first."""
    found = []
    for row in rows:
        if "op" in row and {column, "NumPy"} <= row["seconds"].keys():
            its, known = least(row, column), least(row, "NumPy")
            if its > limit * known + CALL[column]:
                found.append((its / known, row))
    return sorted(found, key=lambda pair: -pair[0])


def summary(rows: Sequence[Row]) -> str:
    """Which ops lose against NumPy, by size; a large result copied out of a plan is no fault."""
    lines = []
    for size in dict.fromkeys(row["size"] for row in rows if "size" in row):
        its = [row for row in rows if row.get("size") == size]
        for column in CALL:
            if column == "compiled" and SIZES[size] >= COPIED:
                continue
            found = slow(its, column)
            measured = sum({column, "NumPy"} <= row["seconds"].keys() for row in its)
            call = f" and {in_units(CALL[column])}" if CALL[column] else ""
            lines.append(
                f"{size}, {column}: {len(found)} of {measured} ops take more than"
                f" {SLOW} times NumPy's time{call} (least of the rounds)"
            )
            for ratio, row in found:
                its_time, numpy_time = (in_units(least(row, c)) for c in (column, "NumPy"))
                lines.append(
                    f"    {in_times(ratio):>7}  {row['title']}: {its_time}, NumPy {numpy_time}"
                )
    failed = [f"    {row['name']}: {row['error']}" for row in rows if "error" in row]
    return "\n".join([*lines, *(["not measured:", *failed] if failed else [])])


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line, measure, print the table and who loses against NumPy."""
    parser = options("ops", __doc__, rounds=5, seconds=0.002)
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    args = parser.parse_args(arguments)
    unknown = set(args.only or ()) - set(TABLE)
    if unknown:
        parser.error(f"no op {', '.join(sorted(unknown))} in the table")
    if args.threads:
        autograd.set_num_threads(args.threads)
    ops = [op for name, op in TABLE.items() if not args.only or name in args.only]
    warn_if_busy()
    controls, rows = Controls(), []
    with undisturbed():
        for row in rows_of(ops, args.sizes, args.rounds, args.seconds):
            if row["size"] == args.sizes[0]:
                print(f"\r{len(rows)} rows, {row['op']:<40}", end="", file=sys.stderr)
                controls.look()
            rows.append(row)
    print(file=sys.stderr)
    rows += controls.rows("NumPy")
    text = table(rows, COLUMNS, base="NumPy") + "\n\n" + summary(rows)
    failed = any("error" in row for row in rows)
    return max(deliver(args, document("ops", rows), text), int(failed))


if __name__ == "__main__":
    sys.exit(main())
