"""Predicted and actual effects stand side by side, in groups that depend on the predictions only."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.uplift.calibration import effects_by_decile, rank_groups


def test_deciles_of_twenty_members() -> None:
    """Two members each, the highest predictions first, with the mean of their contrasts."""
    predicted = np.arange(20.0)
    contrasts = predicted * 2
    table = effects_by_decile(contrasts, predicted)
    assert [one.number for one in table] == list(range(1, 11))
    assert [one.size for one in table] == [2] * 10
    assert (table[0].lowest, table[0].highest, table[0].predicted) == (18, 19, 18.5)
    assert table[0].actual.value == 37
    # Two contrasts 36 and 38: their mean has the standard error 1.
    assert table[0].actual.standard_error == pytest.approx(1)


def test_equal_predictions_stay_together() -> None:
    """Six equal ones in the middle of ten go where the middle of their ranks lies; other groups are empty."""
    predicted = np.array([9.0, 8.0, 5, 5, 5, 5, 5, 5, 2, 1])
    assert rank_groups(predicted, 5).tolist() == [0, 0, 2, 2, 2, 2, 2, 2, 4, 4]
    table = effects_by_decile(np.ones(10), predicted, groups=5)
    assert [(one.number, one.size) for one in table] == [(1, 2), (3, 6), (5, 2)]


@given(st.lists(st.integers(0, 6), min_size=1, max_size=60), st.integers(1, 12))
def test_groups_know_no_order_of_the_rows(values: list[int], groups: int) -> None:
    """Shuffled rows keep their group, groups fall with the prediction, and each member is in one."""
    predicted = np.array(values, dtype=float)
    order = np.random.default_rng(len(values)).permutation(len(values))
    place = rank_groups(predicted, groups)
    assert place[order].tolist() == rank_groups(predicted[order], groups).tolist()
    assert ((place >= 0) & (place < groups)).all()
    by = np.argsort(-predicted, kind="stable")
    assert (np.diff(place[by]) >= 0).all()
    assert (np.diff(place[by])[np.diff(predicted[by]) == 0] == 0).all()
    table = effects_by_decile(predicted, predicted, groups=groups)
    assert sum(one.size for one in table) == len(values)


def test_groups_are_of_equal_size_without_ties() -> None:
    """With 103 members, ten groups have ten or eleven."""
    place = rank_groups(np.random.default_rng(0).normal(size=103), 10)
    assert set(np.bincount(place)) == {10, 11}


def test_few_distinct_predictions_and_one_member_are_no_error() -> None:
    """A constant prediction is one group; a single member has no interval."""
    table = effects_by_decile(np.array([1.0, 3.0]), np.array([0.5, 0.5]))
    assert len(table) == 1
    assert table[0].actual.value == 2
    alone = effects_by_decile(np.array([1.0]), np.array([0.5]))
    assert alone[0].actual.lower == -np.inf
