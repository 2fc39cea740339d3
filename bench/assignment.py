"""Assignment against growthbook and PlanOut, alone, 20 together, and in batches. `python -m bench.assignment`.

Ours and the peers' jobs take turns in one run, on one thread each, timed by the processor's clock, so that a busy machine
hits all alike. Batches have no counterpart there; they use all cores, are timed by the wall's clock, and stand beside
one bare hash of the same ids.
"""

import argparse
import itertools
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import polars as pl
import polars_hash  # noqa: F401 registers the expression namespaces

from bench.peers import HINT, peer_python
from experiments.assignment.assign import assign, assign_all, assign_frame
from experiments.assignment.plan import compile_plan
from experiments.definition import ExperimentDefinition, parse_experiment

UNITS = 20_000
TOGETHER = 20
IDS = 2_000_000
ATTRIBUTES = {"tier": "gold", "age": 40}
TARGETED: dict[str, Any] = {
    "attributes": {"tier": "string", "age": "int"},
    "targeting": 'tier == "gold" && age >= 18',
}
EVERYTHING: dict[str, Any] = TARGETED | {
    "holdout": {"holdout_id": "year", "traffic_ppm": 50_000},
    "layer": {"layer_id": "checkout", "slots": ["0-799"]},
    "traffic_ppm": 900_000,
}
PAIRS = [
    ("targeted decision", "growthbook eval_feature"),
    ("plain decision", "growthbook run"),
    ("plain decision", "planout"),
    ("20 targeted for one unit", "growthbook 20"),
]


def experiment(number: int = 0, **changes: Any) -> ExperimentDefinition:
    """Return a running experiment with two arms."""
    fields = {
        "experiment_id": f"offer-{number}",
        "hypothesis": "It is fast.",
        "owner": "bench",
        "state": "running",
        "placements": ["checkout"],
        "variants": [{"variant_id": "control"}, {"variant_id": "treatment"}],
        "metrics": [{"metric_id": "revenue"}],
    }
    return parse_experiment(fields | changes, "bench")


def single(**changes: Any) -> Callable[[], int]:
    """Return the job of assigning many units to one experiment, one by one."""
    plan = compile_plan([experiment(**changes)], "default")

    def job() -> int:
        for number in range(UNITS):
            assign(plan, "offer-0", f"member-{number}", ATTRIBUTES)
        return UNITS

    return job


def together(**changes: Any) -> Callable[[], int]:
    """Return the job of assigning units to 20 experiments each."""
    plan = compile_plan([experiment(number, **changes) for number in range(TOGETHER)], "default")

    def job() -> int:
        for number in range(UNITS // TOGETHER):
            assert len(assign_all(plan, f"member-{number}", "checkout", ATTRIBUTES)) == TOGETHER
        return UNITS // TOGETHER

    return job


def batches() -> dict[str, Callable[[], int]]:
    """Return the jobs over a whole column of ids, and the bare hash."""
    frame = pl.DataFrame({"unit": pl.int_range(IDS, eager=True).cast(pl.String)}).with_columns(
        tier=pl.when(pl.int_range(pl.len()) % 3 > 0).then(pl.lit("gold")).otherwise(pl.lit("silver")),
        age=pl.int_range(pl.len()) % 80,
    )

    def job(expression: pl.Expr) -> Callable[[], int]:
        def select() -> int:
            return frame.lazy().select(expression).collect(engine="streaming").height

        return select

    def assigned(**changes: Any) -> Callable[[], int]:
        plan = compile_plan([experiment(**changes)], "default")
        return job(assign_frame(plan, "offer-0", pl.col("unit")))

    salted = pl.concat_str(
        pl.lit("7:troth-1,3:arm,7:default,7:offer-0,"),
        pl.col("unit").str.len_bytes().cast(pl.String),
        pl.lit(":"),
        pl.col("unit"),
        pl.lit(","),
    )
    return {
        "batch, one bare hash": job(salted.nchash.xxhash64()),  # type: ignore[attr-defined]
        "batch, plain": assigned(),
        "batch, 90 % traffic": assigned(traffic_ppm=900_000),
        "batch, holdout + layer + targeting + traffic": assigned(**EVERYTHING),
    }


@contextmanager
def peers() -> Iterator[Callable[[str], float] | None]:
    """Run the peers' process; give a function from a job's name to its rate, or None without peers."""
    python = peer_python()
    if python is None:
        yield None
        return
    command = [str(python), "-m", "bench.assignment_peers"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:

        def rate(job: str) -> float:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(job + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
            if not line:
                sys.exit("the peers' process ended; see its message above")
            return float(line)

        try:
            yield rate
        finally:
            assert process.stdin is not None
            process.stdin.close()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    ours = {
        "plain decision": single(),
        "targeted decision": single(**TARGETED),
        "decision with everything": single(**EVERYTHING),
        "20 targeted for one unit": together(**TARGETED),
        "20 with everything for one unit": together(**EVERYTHING),
        **batches(),
    }
    rates: dict[str, list[float]] = {}
    with peers() as peer:
        for _, (name, job) in itertools.product(range(options.rounds), ours.items()):
            clock = time.perf_counter if name.startswith("batch") else time.process_time
            begin = clock()
            count = job()
            rates.setdefault(name, []).append(count / (clock() - begin))
            for _, theirs in [pair for pair in PAIRS if pair[0] == name and peer is not None]:
                assert peer is not None
                rates.setdefault(theirs, []).append(peer(theirs))
    middle = {name: statistics.median(found) for name, found in rates.items()}
    for name, rate in middle.items():
        per_unit = f"  {1e3 / rate:.4f} ms a unit" if "20" in name else ""
        print(f"{name:46} {rate:12,.0f} a second{per_unit}")
    print()
    if peer is None:
        print(HINT)
    for name, theirs in PAIRS if peer is not None else []:
        ratio = statistics.median(a / b for a, b in zip(rates[name], rates[theirs], strict=True))
        print(f"{name}: {ratio:.1f} times {theirs}")
    bare = "batch, one bare hash"
    for name in [name for name in ours if name.startswith("batch") and name != bare]:
        ratio = statistics.median(b / a for a, b in zip(rates[name], rates[bare], strict=True))
        print(f"{name}: {ratio:.2f} of the time of one bare hash")


if __name__ == "__main__":
    main()
