"""The training job on a large table. `python -m bench.scale [--interactions N] [--members N] [--offers N] [--models NAMES]`.

Writes a table of that shape (``bench.scale_data``) unless the folder holds it already, runs ``troth train offers`` on it as
a user would, and prints the wall time and peak memory of the whole job, and those of each model's last fit. The job's own
progress goes to stderr. The peak is the resident memory of the command and the processes below it, looked at twice a
second. On a machine that does other work too, the processor time says more than the wall time.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from bench.scale_data import Shape, write_interactions

INTERVAL = 0.5
GIB = 2.0**30


@dataclass(frozen=True)
class Run:
    """How a command ran.

    Attributes:
        seconds: Wall time.
        processor_seconds: Time on processors, all threads together.
        peak_bytes: Most resident memory of it and what it started.
        exit_code: Its exit code.
    """

    seconds: float
    processor_seconds: float
    peak_bytes: int
    exit_code: int


def run_watched(command: list[str]) -> Run:
    """Run a command and watch its memory."""
    before, started, peak = _processor_seconds(), time.perf_counter(), 0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        watched = psutil.Process(process.pid)
        while process.poll() is None:
            peak = max(peak, resident(watched))
            time.sleep(INTERVAL)
    return Run(time.perf_counter() - started, _processor_seconds() - before, peak, process.returncode)


def resident(process: psutil.Process) -> int:
    """Return the resident bytes of a process and of those below it; what has just ended counts nothing."""
    total = 0
    try:
        for one in (process, *process.children(recursive=True)):
            total += one.memory_info().rss
    except psutil.NoSuchProcess:
        return total
    return total


def _processor_seconds() -> float:
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return ended.ru_utime + ended.ru_stime


def train_command(table: Path, store: Path, result: Path, models: str, more: list[str]) -> list[str]:
    """Return the command that a user would type."""
    return [
        *(sys.executable, "-m", "cli.main", "train", "offers"),
        *("--interactions", str(table), "--member-column", "member_id", "--offer-column", "offer_id"),
        *("--time-column", "time", "--value-column", "value"),
        *("--store", str(store), "--json", str(result)),
        *(["--models", models] if models else []),
        *more,
    ]


def print_models(result: dict[str, Any]) -> None:
    """Print what the job says of its models."""
    metric = result["metric"]
    print(f"{'':18} {'fit, s':>8} {'peak, GiB':>10} {'trials':>7} {metric:>9}")
    for name, model in result["models"].items():
        print(
            f"{name:18} {model['fit_seconds']:8.1f} {model['peak_memory_mib'] / 1024:10.2f} "
            f"{model['trial_count']:7} {model['metrics'][metric]['value']:9.4f}"
        )
    for note in result["notes"]:
        print(note)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--interactions", type=float, default=20e6, help="rows of the table")
    parser.add_argument("--members", type=float, default=200e3)
    parser.add_argument("--offers", type=float, default=20e3)
    parser.add_argument("--seed", type=int, default=1, help="seed of the table")
    parser.add_argument("--models", default="", help="names, separated by commas; all if empty")
    parser.add_argument(
        "--folder", type=Path, help="keep table, store and result here; a temporary folder by default"
    )
    parser.add_argument("more", nargs="*", help="more options of the command, behind --")
    given = parser.parse_args()
    shape = Shape(int(given.interactions), int(given.members), int(given.offers), given.seed)
    with tempfile.TemporaryDirectory(prefix="troth-scale-") as temporary:
        folder = given.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        table = folder / f"{shape.name}.parquet"
        if not table.exists():
            write_interactions(shape, table)
        print(
            f"{shape.interactions:,} interactions, {shape.members:,} members, {shape.offers:,} offers, "
            f"{table.stat().st_size / 1e6:,.0f} MB",
            flush=True,
        )
        # A store of its own each time, or the trials of the last run would count.
        store = Path(tempfile.mkdtemp(prefix="store-", dir=folder))
        result = store / "result.json"
        run = run_watched(train_command(table, store, result, given.models, given.more))
        print(
            f"whole job: {run.seconds:,.0f} s, {run.processor_seconds:,.0f} s of processor time, "
            f"peak {run.peak_bytes / GIB:.2f} GiB, exit code {run.exit_code}"
        )
        if run.exit_code:
            sys.exit(run.exit_code)
        print_models(json.loads(result.read_text(encoding="utf-8")))


if __name__ == "__main__":
    main()
