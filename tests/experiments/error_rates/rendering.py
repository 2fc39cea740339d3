"""The measured rates as the files that are committed: JSON for the engine, a page for its readers."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.experiments.error_rates.figures import TITLES
from tests.experiments.error_rates.measuring import Rate

ROOT = Path(__file__).parents[3]
JSON_PATH = ROOT / "experiments" / "analysis" / "error_rates.json"
PAGE_PATH = ROOT / "docs" / "error-rates.md"
COMMAND = "python -m tests.experiments.error_rates"

_HEAD = f"""# Error rates

How often each method errs, measured: experiments are simulated whose truth is known, and analysed by the functions that
analyse real ones. `make error-rates` (`{COMMAND}`) writes this page and
`experiments/analysis/error_rates.json`, which results quote; neither is typed. A test compares the two and fails if a rate is outside
its band. `make test` repeats a part of the simulations with fewer runs, `make test-slow` all of them.

*Asked* is the band that a rate must lie in. Of simulations of a method that errs just as often as it says, 99.9 % land in
such a band; where a rate must only not be exceeded, 99 % stay below its end. *KS* is the p-value of a Kolmogorov-Smirnov test
that the p-values are uniform; it must be above 0.001. The seed is made of the simulation's name, so that nobody chooses it. A
line is repeated by `{COMMAND} --only NAME`.

The populations: *normal* values; *2 % conversion*, with chances that differ by person; *heavy-tailed revenue*, log-normal
with two thirds zeros; *revenue per order*, a ratio of sums with the person as the unit and about three orders each. Every
person has a value from before the experiment, which CUPED uses. Arms are of random size, as assignment makes them.
Where an experiment is looked at many times, only looks at which the difference is far enough from the null for any
method are given to the engine, and every fiftieth of the others; difference and standard error are computed a second
way there, and must agree to six digits.

Figures 8 to 10 have exact answers instead of rates: agreement with other libraries (`make bench` and
`tests/experiments/stats`), independence of assignments (`tests/experiments/test_independence.py`), and tables that hold nothing,
infinity or worse (`tests/experiments/aggregates`).
"""


# Few units, and what is not an error rate.
_NOT_COUNTED = {"200", "bootstrap", "width"}


def document(rates: Sequence[Rate]) -> dict[str, Any]:
    """Return the JSON document: the rates that results quote, by name, then every rate."""
    return {
        "bayes_peeking": _peeking(rates),
        "fixed": _method(
            rates, "type-one/", "one look, no effect, 2,000 and more units in each arm: significant at 5 %"
        ),
        "always-valid": _method(rates, "always-valid/", "no effect: the 95 % interval ever excludes zero"),
        "group-sequential": _method(
            rates,
            "group-sequential/planned/",
            "no effect, as many units as planned: significant at 5 % at any look",
        ),
        "rates": [asdict(rate) for rate in rates],
    }


def _peeking(rates: Sequence[Rate]) -> dict[str, Any]:
    rate = next(rate for rate in rates if rate.key == "mistake/bayes-peeking/normal/flat/posterior")
    return {
        "rate": rate.rate,
        "looks": rate.looks,
        "runs": rate.runs,
        "what": "no effect: the chance to be better, under a flat prior, is above 95 % or below 5 % at any look",
    }


def _method(rates: Sequence[Rate], prefix: str, what: str) -> dict[str, Any]:
    """Return the rate over all simulations of a method, and the highest of any of them."""
    counted = [
        rate for rate in rates if rate.key.startswith(prefix) and not _NOT_COUNTED & set(rate.key.split("/"))
    ]
    runs = sum(rate.runs for rate in counted)
    return {
        "error_rate": round(sum(rate.rate * rate.runs for rate in counted) / runs, 6),
        "highest": max(rate.rate for rate in counted),
        "simulations": len(counted),
        "looks": max(rate.looks for rate in counted),
        "runs": runs,
        "what": what,
    }


def json_text(rates: Sequence[Rate]) -> str:
    """Return the text of the JSON file."""
    return json.dumps(document(rates), indent=1, ensure_ascii=False) + "\n"


def read_rates(found: Mapping[str, Any]) -> list[Rate]:
    """Return the rates of a JSON document."""
    return [Rate(**rate) for rate in found["rates"]]


def page(rates: Sequence[Rate]) -> str:
    """Return the text of the page."""
    parts = [_HEAD]
    for figure, title in TITLES.items():
        rows = [_row(rate) for rate in rates if rate.figure == figure]
        if not rows:
            continue
        heading = f"Figure {figure}: {title[0].lower()}{title[1:]}" if figure else title
        parts.append(f"\n## {heading}\n\n{_HEADER}\n{''.join(rows)}")
    return "".join(parts)


_HEADER = """| simulation | asked | measured | runs | looks | KS | seed | name |
| --- | --- | --- | --- | --- | --- | --- | --- |"""


def _row(rate: Rate) -> str:
    width = rate.key == "always-valid/width/width"
    measured = f"{rate.rate:.3f}" if width else _percent(rate.rate)
    uniformity = "" if rate.uniformity is None else f"{rate.uniformity:.3f}"
    cells = (
        rate.what,
        _asked(rate, width=width),
        f"**{measured}**",
        f"{rate.runs:,}",
        f"{rate.looks:,}",
        uniformity,
        str(rate.seed),
        f"`{rate.key}`",
    )
    return f"| {' | '.join(cells)} |\n"


def _asked(rate: Rate, *, width: bool) -> str:
    if width:
        return f"at most {rate.high:g}"
    if rate.low <= 0:
        return f"at most {_percent(rate.high)}"
    return (
        f"at least {_percent(rate.low)}"
        if rate.high >= 1
        else f"{_percent(rate.low)} to {_percent(rate.high)}"
    )


def _percent(rate: float) -> str:
    return f"{100 * rate:.2f} %"
