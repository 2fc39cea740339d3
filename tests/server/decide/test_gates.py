"""Nothing is ever chosen that may not be: decisions over random catalogues against a reference in plain Python."""

import math
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings

from server.decide.choice import Choice, Considered
from server.decide.decide import decide
from server.decide.gates import Gate
from tests.server.decide.cases import Case
from tests.server.decide.drawing import case_of, cases
from tests.server.decide.reference import Row, best_slate, gates, has_room, outside, rows, scored

AFTER_RULES = {Gate.FALLBACK_ONLY, Gate.NEW_TO_FEW, Gate.BELOW_LEAST_SCORE, Gate.HELD_OUT, Gate.OPEN}
"""What becomes of a row that rules and limits let through; these models are about every offer."""
_MANY = settings(max_examples=250, suppress_health_check=[HealthCheck.too_slow])


@_MANY
@given(cases())
def test_nothing_is_chosen_that_may_not_be(case: Case) -> None:
    """What is chosen is here, valid, allowed by rules, consent, contact policy, quiet hours, cool-downs, caps and budgets.

    Fallback offers are not an exception, and neither is any method of exploration or standing arm. Nothing is given twice, nor
    more than was asked for, nor more of a category than may be.
    """
    _nothing_forbidden(case)


def _nothing_forbidden(case: Case) -> None:
    choice, _ = decide(case.snapshot, case.question())
    able = {(row.candidate_id, row.channel_id): row for row in rows(case) if not gates(case, row)}
    slate: list[Row] = []
    for candidate_id, channel_id in _chosen(case, choice):
        assert (candidate_id, channel_id) in able
        row = able[candidate_id, channel_id]
        assert row not in slate
        assert has_room(case, slate, row)
        slate.append(row)
    assert len(slate) <= case.count
    propensities = [*(one.propensity for one in choice.offers), *(one.propensity for one in choice.actions)]
    assert all(0 < one <= 1 for one in propensities)
    assert choice.slate_propensity == math.prod(propensities)
    if choice.runner_up is not None:
        assert (choice.runner_up.action_id, choice.runner_up.channel_id) in able


@_MANY
@given(cases())
def test_everything_is_explained_once(case: Case) -> None:
    """Each candidate of the catalogue has one explanation: the gate that keeps it outside, or that of each of its rows.

    The gate is the first that is closed, in the order of the gates, and the counts by gate add up.
    """
    _explained_once(case)


def _explained_once(case: Case) -> None:
    choice, considered = decide(case.snapshot, case.question())
    offers = case.placement.decides == "offers"
    listed = case.catalogue.offers if offers else case.catalogue.actions
    kept_outside = {one.candidate_id: gate for one in listed if (gate := outside(case, one))}
    assert {name: gate.name for name, gate in considered.table.outside.items()} == kept_outside
    weighed = rows(case)
    found = [
        (one.candidate_id, channel)
        for one, channel in zip(considered.table.candidates, considered.table.channel_ids, strict=True)
    ]
    assert found == [(row.candidate_id, row.channel_id) for row in weighed]
    for row, code in zip(weighed, considered.codes.tolist(), strict=True):
        closed = gates(case, row)
        if case.arm == "holdout":
            assert Gate(code) is (Gate.OPEN if row.candidate is None else Gate.HELD_OUT)
        elif closed:
            assert Gate(code).name in closed
        else:
            assert Gate(code) in AFTER_RULES
    counted = Counter(Gate(code).name for code in considered.codes.tolist())
    assert choice.eligible_count == counted.pop("OPEN", 0)
    assert dict(choice.removed) == dict(counted)


@_MANY
@given(cases(plain=True))
def test_without_chance_the_best_is_chosen(case: Case) -> None:
    """With no exploration the answer is the formula's: best first, ties by popularity, then as the catalogue lists them.

    At most so many of a category, then the fallback, which obeys the same limit; all propensities are 1.
    """
    _the_best(case)


def _the_best(case: Case) -> None:
    choice, considered = decide(case.snapshot, case.question())
    expected = [(row.candidate_id, row.channel_id) for row in best_slate(case)]
    assert _chosen(case, choice) == expected
    assert choice.slate_propensity == 1.0
    _scores_agree(case, considered)


@pytest.mark.slow
@pytest.mark.parametrize("block", range(5))
def test_all_of_it_over_many_more_catalogues(block: int) -> None:
    """The three properties above over 10,000 catalogues more; the number of one that fails names it to ``case_of``."""
    for number in range(2000):
        seed = 2**50 + 2000 * block + number
        _nothing_forbidden(case_of(seed))
        _explained_once(case_of(seed))
        _the_best(case_of(seed, plain=True))


def _scores_agree(case: Case, considered: Considered) -> None:
    fallback = set(case.placement.fallback_offer_ids)
    left = [row for row in rows(case) if not gates(case, row) and row.candidate_id not in fallback]
    by_row = dict(zip(((row.candidate_id, row.channel_id) for row in left), scored(case, left), strict=True))
    for place, candidate in enumerate(considered.table.candidates):
        key = (candidate.candidate_id, considered.table.channel_ids[place])
        assert considered.score(place) == by_row.get(key, 0.0)


def _chosen(case: Case, choice: Choice) -> list[tuple[str, str]]:
    return [
        *((offer.offer_id, case.channel_id) for offer in choice.offers),
        *((action.action_id, action.channel_id) for action in choice.actions),
    ]
