from collections.abc import Callable

import pytest

from tests.experiments.error_rates.coverage import CASES
from tests.experiments.error_rates.measuring import Case, problems


@pytest.mark.parametrize("case", [case for case in CASES if case.fast], ids=lambda case: case.key)
def test_rates(case: Case) -> None:
    """Intervals at 95 % hold the true difference and the true relative effect as often as they say."""
    assert problems(case, case.fast) == []


@pytest.mark.slow
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.key)
def test_rates_in_full(case: Case, figures: Callable[..., None]) -> None:
    """Over 10,000 experiments, 94 to 96 % of the intervals hold the truth, for every population and effect."""
    assert problems(case, case.full, figures) == []
