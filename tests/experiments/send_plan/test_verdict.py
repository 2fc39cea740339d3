"""The verdict follows from intervals; the size asked for is right; the plan says what its numbers are."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from experiments.errors import AnalysisError
from experiments.pages.send_plan_page import Receivers, build_page
from experiments.send_plan import PlanLimits, make_plan, plan_document
from experiments.send_plan.plan import VerdictCode, decide
from experiments.send_plan.policies import BEST_ARM, LOGGED, NOBODY, RANDOM, RESPONSE, RULE
from experiments.send_plan.problem import PolicyComparison
from experiments.send_plan.valuation import (
    CandidatePolicy,
    Findings,
    members_needed,
    members_to_personalise,
    value_plan,
)
from experiments.stats.estimate import estimate_of
from experiments.uplift.trial import Floats
from tests.experiments.pages import Page
from tests.experiments.send_plan.simulated import World, draw

UNSURE, SURE, WORSE = (0.1, 1.0), (0.1, 0.01), (-0.1, 0.01)
Figure = tuple[float, float]


def findings(
    *,
    arms: tuple[Figure, ...] = (SURE, UNSURE),
    plan: Figure = SURE,
    against: dict[str, Figure] | None = None,
    simple: Figure = UNSURE,
    effective: float = 1_000.0,
    smallest_gain: float = 0.05,
) -> Findings:
    """Return findings of a real trial with figures put in by hand: estimate and standard error."""
    base = value_plan(draw(World(), 300, 1).problem)
    names = (NOBODY, BEST_ARM, RANDOM, RESPONSE, RULE)
    given = dict.fromkeys(names, SURE) | (against or {})

    def compared(figure: Figure) -> PolicyComparison:
        return PolicyComparison(estimate_of(*figure), estimate_of(*figure), 500.0)

    candidates = tuple(
        CandidatePolicy(f"arm {place}", estimate_of(*figure, alpha=0.05 / 3), 1.0)
        for place, figure in enumerate(arms)
    )
    return replace(
        base,
        arms=candidates,
        plan=CandidatePolicy("the plan", estimate_of(*plan, alpha=0.05 / 3), 1.0),
        best_arm=1,
        against={name: compared(figure) for name, figure in given.items()},
        simple={RESPONSE: compared(simple), RULE: compared(simple)},
        effective=effective,
        needed=replace(
            base.needed,
            smallest_gain=smallest_gain,
            detectable=max(error for _, error in arms) * 3.2,
        ),
    )


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, "personalise"),
        ({"against": {RULE: UNSURE}}, "simple_rule"),
        ({"against": {RESPONSE: UNSURE}, "simple": WORSE}, "one_offer_for_all"),
        ({"against": {BEST_ARM: UNSURE}}, "one_offer_for_all"),
        ({"against": {BEST_ARM: UNSURE, RULE: UNSURE}}, "one_offer_for_all"),
        ({"against": {RANDOM: UNSURE}}, "one_offer_for_all"),
        ({"effective": 99.0}, "one_offer_for_all"),
        ({"arms": (UNSURE, UNSURE), "plan": UNSURE}, "not_enough_data"),
        ({"arms": (UNSURE, UNSURE), "plan": UNSURE, "smallest_gain": 4.0}, "send_nothing"),
        ({"arms": (WORSE, WORSE), "plan": WORSE}, "send_nothing"),
        ({"arms": (WORSE, WORSE), "plan": (0.0, 0.01)}, "send_nothing"),
        ({"arms": (UNSURE, WORSE), "plan": SURE}, "personalise"),
        ({"arms": (UNSURE, WORSE), "plan": SURE, "against": {BEST_ARM: UNSURE}}, "not_enough_data"),
    ],
)
def test_every_verdict_follows_from_its_intervals(changes: dict[str, object], code: str) -> None:
    """A plan must beat every alternative; short of that the simplest that is proven is advised, or nothing, or more data."""
    found = decide(findings(**changes), trusted=True, differ=True)  # type: ignore[arg-type]
    assert found.code.value == code


def test_what_is_not_trusted_or_does_not_differ_is_not_personalised() -> None:
    """A failed check of the trial stops everything; a failed gate leaves one offer for all, and a plan alone proves nothing."""
    assert decide(findings(), trusted=False, differ=True).code is VerdictCode.TRIAL_NOT_TRUSTED
    assert decide(findings(), trusted=True, differ=False).code is VerdictCode.ONE_OFFER_FOR_ALL
    only_plan = findings(arms=(UNSURE, UNSURE), plan=SURE)
    assert decide(only_plan, trusted=True, differ=False).code is VerdictCode.NOT_ENOUGH_DATA


def _needed(deviation: float, members: int, gain: float, arms: int = 3) -> int:
    each = members // arms
    return members_needed(
        errors=np.full(arms - 1, deviation * np.sqrt(2 / each)),
        residual_variances=np.full(arms, deviation**2),
        inverse_propensities=np.full(arms, float(arms)),
        counts=np.full(arms, each),
        smallest_gain=gain,
    ).per_arm


def test_the_size_is_that_of_a_test_of_two_means() -> None:
    """Without covariates it is 2 s² (z(1 − α/2m) + z(.8))² / δ², whatever the trial that measured s (Cohen 1988, ch. 2)."""
    expected = 2 * 15**2 * (norm.isf(0.05 / 6) + norm.ppf(0.8)) ** 2 / 0.5**2
    assert _needed(15, 300, 0.5) == pytest.approx(expected, rel=1e-3)
    assert _needed(15, 30_000, 0.5) == pytest.approx(expected, rel=1e-3)


def test_unequal_arms_are_asked_for_what_each_lacks() -> None:
    """With 100, 500 and 3,000 members the size per arm is that of equal arms, and the largest arm lacks nothing."""
    counts = np.array([100, 500, 3_000])
    inverse = counts.sum() / counts
    found = members_needed(
        errors=np.sqrt(1 / counts[0] + 1 / counts[1:]),
        residual_variances=np.ones(3),
        inverse_propensities=inverse,
        counts=counts,
        smallest_gain=0.1,
    )
    assert found.per_arm == pytest.approx(_needed(1, 3_600, 0.1), rel=1e-3)
    assert found.more == (found.per_arm - 100, found.per_arm - 500, 0)
    assert not found.enough


def test_the_size_to_personalise_scales_with_the_squared_error() -> None:
    """A difference known to ±0.1 from 1,000 members needs (2.802 · 0.1 / 0.14)² · 1,000 to show 0.14."""
    found = members_to_personalise(0.1, 1_000, 0.14)
    assert found.members == pytest.approx(1_000 * (2.8016 * 0.1 / 0.14) ** 2, rel=1e-3)
    assert found.more == found.members - 1_000
    assert members_to_personalise(0.01, 1_000, 0.14).more == 0


def test_the_document_says_what_the_plan_is() -> None:
    """The document is plain JSON whose figures agree with each other and with the list."""
    problem = draw(World((0.2, 0.2), interaction=0.6), 3_000, 3, PlanLimits(100.0)).problem
    plan = make_plan(problem)
    document = json.loads(json.dumps(plan_document(plan, [("trust the trial", "Fine.")]), allow_nan=False))
    assert document["verdict"] == "personalise"
    assert set(document["value"]) == {NOBODY, BEST_ARM, RANDOM, RESPONSE, LOGGED}
    for figure in document["value"].values():
        assert figure["ci_lower"] < figure["estimate"] < figure["ci_upper"]
        assert figure["ips"]["standard_error"] > 0
    assert document["list"]["cost"] <= 100.0
    assert sum(document["list"]["sends"].values()) == 3_000
    assert document["list"]["value"]["estimate"] == document["value"][NOBODY]["estimate"]
    assert document["budget"]["shadow_price"] > 0
    assert len(document["budget"]["curve"]) <= 200
    costs = [one["cost"] for one in document["budget"]["valued"]]
    assert len(costs) == 6
    assert costs == sorted(costs)
    assert all(one["cost"] <= one["budget"] + 1e-9 for one in document["budget"]["valued"])
    assert (
        document["budget"]["valued"][0]["nobody"]["estimate"]
        < document["budget"]["valued"][3]["nobody"]["estimate"]
    )
    assert [step["step"] for step in document["steps"]] == [
        "trust the trial",
        "allocate",
        "value",
        "verdict",
        "keep learning",
    ]
    assert " by lot, +" in document["sentence"]


def test_a_trial_that_is_not_trusted_gets_no_numbers() -> None:
    """Where a check failed the document says why and values nothing, and nobody is sent anything."""
    problem = draw(World((0.5, 0.5)), 600, 1, distrust=("The arms differ.",)).problem
    document = plan_document(make_plan(problem))
    assert document["verdict"] == "trial_not_trusted"
    assert "The arms differ." in document["sentence"]
    assert {one["estimate"] for one in document["value"].values()} == {None}
    assert document["value"]["nobody"]["refused"] == "The trial is not to be trusted."
    assert document["list"]["cost"] == 0


def test_the_value_against_nobody_is_that_of_the_list_as_written() -> None:
    """The members left to chance count with what they got: the figure is the mean of the list's own scores over nobody's."""
    problem = draw(World((0.4, 0.1), interaction=0.5), 2_000, 4, PlanLimits(80.0), random_share=0.2).problem
    plan = make_plan(problem)
    robust = problem.scored.robust
    own = robust[np.arange(2_000), plan.findings.list.arm] - robust[:, 0]
    assert plan.findings.against[NOBODY].robust.value == pytest.approx(own.mean())
    assert plan.findings.list.random.random.sum() > 300


def test_members_left_to_chance_add_nothing_to_a_difference() -> None:
    """Against everything but nobody they are the same in both policies, so their scores do not count, however large."""
    problem = draw(World((0.4, 0.1), interaction=0.5), 2_000, 4, random_share=0.2).problem
    chance = value_plan(problem).list.random.random
    blown = problem.scored.robust.copy()
    blown[chance] *= 1_000
    loud = value_plan(replace(problem, scored=replace(problem.scored, robust=blown)))
    quiet = value_plan(problem)
    assert loud.best_arm == quiet.best_arm
    assert loud.against[RANDOM].robust.value == pytest.approx(quiet.against[RANDOM].robust.value)
    assert loud.against[NOBODY].robust.standard_error > 10 * quiet.against[NOBODY].robust.standard_error


@pytest.mark.parametrize(
    ("world", "members", "limits"),
    [
        (World((0.2, 0.2), interaction=0.6), 2_000, PlanLimits(60.0, sends=500, caps={0: 200}, min_roi=1.0)),
        (World((0.1, 0.1)), 500, PlanLimits()),
        (World((0.5, 0.1)), 6_000, PlanLimits(300.0)),
        (World(), 9_000, PlanLimits()),
    ],
)
def test_the_page_leads_with_the_verdict(world: World, members: int, limits: PlanLimits) -> None:
    """The page of every verdict is well-formed, loads nothing, and has the verdict first and every comparison."""
    plan = make_plan(draw(world, members, 2, limits).problem)
    document = plan_document(plan)
    html = build_page(
        document,
        title="May <plan>",
        receivers=[Receivers("mail", 3, "age higher")],
        fragments=[("Extra", "<p>deciles</p>")],
    )
    page = Page(html)
    text = page.text
    assert not [value for name, value in page.attributes if name in {"src", "href"}]
    assert "May <plan>" in text
    assert text.index(document["title"]) < text.index("The list")
    assert all(one["alternative"] in text for one in document["value"].values())
    assert "age higher" in text
    assert "deciles" in text


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"arms": ("none",)}, "one arm only"),
        ({"smallest_gain": 0.0}, "above 0"),
        ({"random_share": 1.0}, "below 1"),
        ({"arms": ("none", "mail", "call", "post")}, "had post"),
    ],
)
def test_problems_that_no_trial_allows_are_refused(changes: dict[str, object], words: str) -> None:
    """What cannot be planned is refused with a sentence."""
    problem = draw(World(), 300, 1).problem
    with pytest.raises(AnalysisError, match=words):
        replace(problem, **changes)  # type: ignore[arg-type]


def test_numbers_that_are_missing_are_refused() -> None:
    """A gain that is not a number is refused before anything is planned with it."""
    audience = draw(World(), 300, 1).problem.audience
    broken: Floats = audience.gains.copy()
    broken[3, 0] = np.nan
    with pytest.raises(AnalysisError, match="gains hold a missing"):
        replace(audience, gains=broken)


def test_a_plan_that_few_members_speak_for_is_not_judged() -> None:
    """With fewer than 100 equally weighted members that had what the plan gives, no figure is printed, and the reason is."""
    plan = make_plan(draw(World((0.5, 0.5)), 150, 1).problem)
    document = plan_document(plan)
    assert document["value"][BEST_ARM]["ci_lower"] is None
    assert "are needed" in document["value"][BEST_ARM]["refused"]
    assert document["verdict"] != "personalise"
    assert "cannot be judged" in Page(build_page(document)).text
