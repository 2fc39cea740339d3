"""The same question has the same answer: again, in another order of what is stored, and among others."""

import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from experiments.log.events import to_micros
from server.catalogue import Cap, Catalogue, CoolDown, Exploration, Offer, Placement
from server.decide.choice import Choice, Considered
from server.decide.context import Evidence
from server.decide.decide import decide
from server.members import MemberProfile, MemberState
from tests.server.decide.cases import Case
from tests.server.decide.drawing import cases
from tests.server.decide.making import NOON, ask, dollars, offers, snapshot_of

_SOME = settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow])


def said(answer: tuple[Choice, Considered]) -> tuple[Any, ...]:
    """Return everything that an answer says, as comparable values."""
    choice, considered = answer
    scores = [considered.score(place) for place in range(len(considered.table))]
    return choice, dict(choice.removed), considered.codes.tolist(), scores, considered.slate


@_SOME
@given(cases())
def test_the_same_question_has_the_same_answer(case: Case) -> None:
    """Asked twice of one snapshot, and of another made from the same catalogue, the answer is equal to the bit."""
    snapshot, question = case.snapshot, case.question()
    first = said(decide(snapshot, question))
    assert said(decide(snapshot, question)) == first
    assert said(decide(case.snapshot, case.question())) == first


@_SOME
@given(cases())
def test_the_order_of_events_and_mappings_does_not_matter(case: Case) -> None:
    """A state folded in another order, with its mappings in another order, gives the same answer, gates included."""
    first = said(decide(case.snapshot, case.question()))
    order = list(range(len(case.events)))
    random.Random(case.seed).shuffle(order)
    shuffled = case.state(order)
    assert said(decide(case.snapshot, case.question(shuffled))) == first
    evidence = Evidence(dict(reversed([*case.evidence.items()])))
    assert evidence.state_id == Evidence(case.evidence).state_id


@pytest.mark.parametrize("reverse", [False, True])
def test_a_rest_is_named_before_a_cap(reverse: bool) -> None:
    """Where a candidate rests and has reached its cap, the gate is the first in their order, whatever happened first."""
    offer = Offer(offer_id="a", kind="perk", caps=(Cap(most=1),))
    catalogue = Catalogue(
        placements=(Placement(placement_id="home"),), offers=(offer,), cool_downs=(CoolDown(days=7),)
    )
    micros = to_micros(NOON) - 3_600_000_000
    state = MemberState("m1")
    for step in sorted(("decision", "refusal"), reverse=reverse):
        if step == "decision":
            state = state.after_decision(state.version + 1, micros, [], ["a"])
        else:
            state = state.after_outcome(state.version + 1, micros, "refusal", candidate_id="a")
    choice, _ = decide(snapshot_of(catalogue), ask(catalogue.placements[0], state=state))
    assert choice.removed == {"COOL_DOWN": 1}


def test_a_batch_is_the_same_decisions_alone() -> None:
    """1,000 decisions of one snapshot, which keeps tables, rules and rates, equal those of a fresh snapshot each."""
    names = [f"o{number}" for number in range(12)]
    catalogue = Catalogue(
        currency_code="USD",
        attributes={"age": "int"},
        placements=(
            Placement(
                placement_id="home",
                exploration=Exploration(
                    method="softmax", share=0.5, shortlist=6, cold_places=2, cold_share=0.5
                ),
                most_per_category=2,
            ),
        ),
        offers=tuple(
            one.model_copy(
                update={
                    "eligible": "age > 18" if place % 3 == 0 else "purchase_count < 3",
                    "category": "xyz"[place % 3],
                    "value": dollars(place + 1),
                }
            )
            for place, one in enumerate(offers(*names))
        ),
    )
    chance = random.Random(5)
    questions = []
    for number in range(1000):
        # Few members, so that what is kept of one meets another state of theirs.
        state = MemberState(f"m{chance.randrange(20)}", profile=MemberProfile({"age": chance.randint(5, 60)}))
        for _ in range(chance.randrange(5)):
            state = state.after_outcome(state.version + 1, to_micros(NOON), "purchase", product_ids=["milk"])
        evidence = Evidence({name: (chance.randrange(300), 3) for name in names if chance.random() < 0.5})
        questions.append(
            ask(
                catalogue.placements[0],
                state=state,
                attributes={"age": 70} if chance.random() < 0.2 else {},
                evidence=evidence,
                seed=f"d{number}",
            )
        )
    together = snapshot_of(catalogue)
    batch = [said(decide(together, question)) for question in questions]
    alone = [said(decide(snapshot_of(catalogue), question)) for question in questions]
    assert batch == alone
