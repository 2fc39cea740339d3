"""The page and the JSON of measured error rates."""

from collections import Counter

import pytest

from experiments.analysis.document import measured
from tests.experiments.error_rates.figures import CASES, TITLES
from tests.experiments.error_rates.measuring import Rate
from tests.experiments.error_rates.rendering import JSON_PATH, PAGE_PATH, json_text, page, read_rates

RATES = read_rates(measured())


def test_the_page_is_what_the_json_renders_to() -> None:
    """Neither the page nor the figures that results quote are typed: both follow from the measured rates."""
    assert PAGE_PATH.read_text(encoding="utf-8") == page(RATES)
    assert JSON_PATH.read_text(encoding="utf-8") == json_text(RATES)


@pytest.mark.parametrize("rate", RATES, ids=lambda rate: rate.key)
def test_every_measured_rate_is_in_its_band(rate: Rate) -> None:
    """The committed rates are within the bands that their cases ask for, and p-values are uniform."""
    assert rate.problem == ""


def test_every_case_was_measured_in_full() -> None:
    """The JSON holds each case of the suite, with all its runs, its looks, its seed and the band asked for."""
    expected = [
        (
            f"{case.key}/{name}",
            case.figure,
            case.full,
            case.looks,
            case.seed,
            case.parts[name].asked(case.full),
        )
        for case in CASES
        for name in case.parts
    ]

    assert [(r.key, r.figure, r.runs, r.looks, r.seed, (r.low, r.high)) for r in RATES] == [
        (*rest, (band.low, band.high)) for *rest, band in expected
    ]


def test_cases_have_names_of_their_own() -> None:
    """No two cases share a name, hence a seed, and every figure has cases."""
    assert max(Counter(case.key for case in CASES).values()) == 1
    assert {case.figure for case in CASES} == set(TITLES)
