from collections.abc import Callable

import pytest

from tests.experiments.error_rates.corrections import CASES
from tests.experiments.error_rates.measuring import Case, problems


@pytest.mark.parametrize("case", [case for case in CASES if case.fast], ids=lambda case: case.key)
def test_rates(case: Case) -> None:
    """Of 20 metrics, with and without true effects, corrections let at most 5 % false findings through."""
    assert problems(case, case.fast) == []


@pytest.mark.slow
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.key)
def test_rates_in_full(case: Case, figures: Callable[..., None]) -> None:
    """The same over 10,000 experiments, also with correlated metrics."""
    assert problems(case, case.full, figures) == []
