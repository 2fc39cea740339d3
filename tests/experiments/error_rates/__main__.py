"""Measures every rate in full and writes the JSON and the page; prints some with ``--only``; ``--page`` renders."""

import argparse
import multiprocessing
import sys
import time

from experiments.analysis.document import measured
from tests.experiments.error_rates.figures import CASES
from tests.experiments.error_rates.measuring import Rate, measure
from tests.experiments.error_rates.rendering import JSON_PATH, PAGE_PATH, json_text, page, read_rates


def _measured(index: int) -> tuple[int, list[Rate]]:
    return index, measure(CASES[index], CASES[index].full)


def run(indices: list[int], processes: int) -> list[Rate]:
    """Return the rates of the cases in their own order, however many processes measure them."""
    found: dict[int, list[Rate]] = {}
    started = time.monotonic()
    with multiprocessing.get_context("fork").Pool(processes) as pool:
        for index, rates in pool.imap_unordered(_measured, indices, chunksize=1):
            found[index] = rates
            for rate in rates:
                minutes = (time.monotonic() - started) / 60
                sys.stdout.write(f"{minutes:5.1f} min  {rate.key}: {rate.rate:.4f} {rate.problem and '!'}\n")
            sys.stdout.flush()
    return [rate for index in sorted(found) for rate in found[index]]


def _write(rates: list[Rate]) -> None:
    JSON_PATH.write_text(json_text(rates), encoding="utf-8")
    PAGE_PATH.write_text(page(rates), encoding="utf-8")


def main() -> int:
    """Return 1 if a rate is outside its band; the files are written all the same, for they say what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="cases whose name begins so; nothing is written")
    parser.add_argument(
        "--page", action="store_true", help="write the page from the JSON, and measure nothing"
    )
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    if arguments.page:
        _write(read_rates(measured()))
        return 0
    indices = [i for i, case in enumerate(CASES) if f"{case.key}/".startswith(arguments.only)] or [
        i for i, case in enumerate(CASES) if arguments.only.startswith(f"{case.key}/")
    ]
    rates = run(indices, arguments.processes)
    if not arguments.only:
        _write(rates)
    problems = [rate.problem for rate in rates if rate.problem]
    sys.stdout.write("".join(f"{problem}\n" for problem in problems))
    return 1 if problems or not rates else 0


if __name__ == "__main__":
    sys.exit(main())
