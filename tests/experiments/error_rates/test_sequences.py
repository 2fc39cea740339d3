from collections.abc import Callable

import pytest

from tests.experiments.error_rates.measuring import Case, problems
from tests.experiments.error_rates.sequences import CASES


@pytest.mark.parametrize("case", [case for case in CASES if case.fast], ids=lambda case: case.key)
def test_rates(case: Case) -> None:
    """Looked at 120 times without an effect, at most 5 % of always-valid intervals ever exclude zero."""
    assert problems(case, case.fast) == []


@pytest.mark.slow
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.key)
def test_rates_in_full(case: Case, figures: Callable[..., None]) -> None:
    """The same for every population, split, tuning and side; at the planned size they are at most 1.6 times as wide."""
    assert problems(case, case.full, figures) == []
