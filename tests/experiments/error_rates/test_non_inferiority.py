from collections.abc import Callable

import pytest

from tests.experiments.error_rates.measuring import Case, problems
from tests.experiments.error_rates.non_inferiority import CASES


@pytest.mark.parametrize("case", [case for case in CASES if case.fast], ids=lambda case: case.key)
def test_rates(case: Case) -> None:
    """A treatment that is worse by just the margin passes in 5 % of experiments."""
    assert problems(case, case.fast) == []


@pytest.mark.slow
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.key)
def test_rates_in_full(case: Case, figures: Callable[..., None]) -> None:
    """The same over 10,000 experiments, for every population."""
    assert problems(case, case.full, figures) == []
