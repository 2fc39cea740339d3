from collections.abc import Callable

import pytest

from tests.experiments.error_rates.measuring import Case, problems
from tests.experiments.error_rates.mistakes import CASES


@pytest.mark.parametrize("case", [case for case in CASES if case.fast], ids=lambda case: case.key)
def test_rates(case: Case) -> None:
    """Methods that Troth does not use err as often as was found elsewhere: why they are not used."""
    assert problems(case, case.fast) == []


@pytest.mark.slow
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.key)
def test_rates_in_full(case: Case, figures: Callable[..., None]) -> None:
    """The same over all runs."""
    assert problems(case, case.full, figures) == []
