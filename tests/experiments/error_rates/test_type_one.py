from collections.abc import Callable

import pytest

from tests.experiments.error_rates.measuring import Case, problems
from tests.experiments.error_rates.type_one import CASES


@pytest.mark.parametrize("case", [case for case in CASES if case.fast], ids=lambda case: case.key)
def test_rates(case: Case) -> None:
    """Of 2,000 A/A experiments, 3.4 to 6.6 % are significant at 5 % (the 99.9 % band), with uniform p-values."""
    assert problems(case, case.fast) == []


@pytest.mark.slow
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.key)
def test_rates_in_full(case: Case, figures: Callable[..., None]) -> None:
    """Of 10,000 A/A experiments, 4.3 to 5.7 % are significant at 5 % (the 99.9 % band), with uniform p-values."""
    assert problems(case, case.full, figures) == []
