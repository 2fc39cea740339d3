"""Analysis of a table of units beside the floor and other libraries. `python -m bench.analysis [--rows N] [--stream DIR]`.

Prints the time as a ratio to the floor (one bare group_by with the same sums, no checks), the median over rounds in which
all take turns, and the most memory beyond the loaded frame, each in a process of its own. With ``--stream`` it also
analyses 50,000,000 rows of Parquet, which it writes into the folder first if it is not there.

Other libraries stand in an environment of their own (``python -m bench.peers``), as they want other versions of what we
use; run by its interpreter, ``.venv-peers/bin/python -m bench.analysis``, this compares with them as well.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import polars as pl

from bench.analysis_peers import peers
from bench.analysis_table import PARTS, floor, make_table, ours, write_parts

FLOOR = "floor"
STREAM_ROWS = 50_000_000
MIB = 1024


def approaches() -> dict[str, Callable[[pl.DataFrame], object]]:
    """Return everything that is compared, the floor first."""
    return {
        FLOOR: floor,
        "ours": partial(ours, unit_column="id"),
        "ours, ids are text": partial(ours, unit_column="text_id"),
        "ours, duplicates not looked for": partial(ours, unit_column=None),
        **peers(),
    }


def measure_times(table: pl.DataFrame, rounds: int) -> dict[str, list[float]]:
    """Return seconds per approach; all take turns in each round."""
    seconds: dict[str, list[float]] = {name: [] for name in approaches()}
    for _ in range(rounds + 1):
        for name, analyse in approaches().items():
            start = time.perf_counter()
            analyse(table)
            seconds[name].append(time.perf_counter() - start)
    # The first round warms up.
    return {name: found[1:] for name, found in seconds.items()}


def kibibytes(what: str) -> int:
    """Return a figure of this process' memory, as Linux counts it."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith(f"{what}:"):
            return int(line.split()[1])
    raise LookupError(what)


def print_memory(path: Path, name: str) -> None:
    """Analyse the table of a file in this process, and print the most memory beyond the loaded frame in MiB."""
    table = pl.read_parquet(path)
    analyse = approaches()[name]
    analyse(table.head(100_000))
    loaded = kibibytes("VmRSS")
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")
    analyse(table)
    print((kibibytes("VmHWM") - loaded) / MIB)


def print_stream(folder: Path, name: str) -> None:
    """Analyse the Parquet files in this process, and print seconds and the most memory of all in MiB."""
    table = pl.scan_parquet(sorted(folder.glob("*.parquet")))
    start = time.perf_counter()
    if name == FLOOR:
        floor(table)
    else:
        ours(table, "id" if name == "ours" else "text_id")
    print(time.perf_counter() - start, kibibytes("VmHWM") / MIB)


def ask(*arguments: str) -> list[float]:
    """Return the figures that a process of its own prints."""
    command = [sys.executable, "-m", "bench.analysis", *arguments]
    return [
        float(one)
        for one in subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    ]


def compare(rows: int, rounds: int) -> None:
    """Print ratios and memory for a table in memory."""
    table = make_table(rows)
    print(
        f"{rows:,} units, 5 metrics with covariates, 2 variants; {table.estimated_size('mb'):.0f} MiB loaded"
    )
    if not peers():
        print(
            "Other libraries are not installed here: only the floor stands beside ours (see the file's head)."
        )
    seconds = measure_times(table, rounds)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.parquet"
        table.write_parquet(path)
        del table
        for name, found in seconds.items():
            ratio = statistics.median(one / base for one, base in zip(found, seconds[FLOOR], strict=True))
            (extra,) = ask("--memory", str(path), name)
            print(f"{name:40} {min(found):6.3f} s best, {ratio:5.2f} × the floor, {extra:5.0f} MiB extra")


def stream(folder: Path) -> None:
    """Print time and memory for Parquet files."""
    write_parts(folder, STREAM_ROWS)
    print(f"{STREAM_ROWS:,} units in {PARTS} Parquet files")
    for name in (FLOOR, "ours", "ours, ids are text"):
        seconds, most = ask("--streamed", str(folder), name)
        print(f"{name:40} {seconds:6.1f} s, {most:5.0f} MiB in all")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=5_000_000, help="units of the table in memory")
    parser.add_argument("--rounds", type=int, default=7, help="rounds in which all take turns")
    parser.add_argument("--stream", type=Path, metavar="DIR", help="also analyse 50,000,000 rows of Parquet")
    parser.add_argument("--memory", nargs=2, metavar=("FILE", "NAME"), help=argparse.SUPPRESS)
    parser.add_argument("--streamed", nargs=2, metavar=("DIR", "NAME"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory:
        print_memory(Path(options.memory[0]), options.memory[1])
    elif options.streamed:
        print_stream(Path(options.streamed[0]), options.streamed[1])
    else:
        compare(options.rows, options.rounds)
        if options.stream:
            stream(options.stream)


if __name__ == "__main__":
    main()
