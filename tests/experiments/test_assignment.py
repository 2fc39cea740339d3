import json
import math
import random
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import chdtrc

from experiments.assignment.assign import assign, assign_all, assign_frame
from experiments.assignment.hashing import Purpose, bucket, point
from experiments.assignment.plan import AssignmentReason, Plan, UnknownExperimentError, compile_plan
from tests.experiments.definitions import arms, definition, raw_definition
from tests.experiments.golden_reference import GOLDEN

Z_999 = 3.2905  # two-sided 99.9 % of the normal distribution
UNITS = pl.Series("unit", [f"household-{number}" for number in range(100_000)])


def plan_of(**changes: object) -> Plan:
    """Return the plan of one experiment, ``offer-ranking`` with changes."""
    return compile_plan([definition(**changes)], str(changes.get("programme", "default")))


def assigned(plan: Plan, units: pl.Series = UNITS) -> pl.Series:
    """Return the variants of many units in ``offer-ranking``."""
    answer = assign_frame(plan, "offer-ranking", pl.col("unit")).struct.field("variant_id")
    return pl.DataFrame({"unit": units}).select(v=answer)["v"]


def test_whole_assignments_equal_the_golden_vectors() -> None:
    """Enrolment and arm of every golden unit are those of the frozen file, alone and in a batch."""
    groups = json.loads(GOLDEN.read_text(encoding="ascii"))["assignments"]

    assert len(groups) >= 4
    for group in groups:
        experiment = group["experiment"]
        plan = plan_of(control=experiment["variants"][0]["variant_id"], **experiment)
        unit_ids = [unit["unit_id"] for unit in group["units"]]
        expected = [unit["variant_id"] for unit in group["units"]]
        assert [assign(plan, "offer-ranking", unit_id).variant_id for unit_id in unit_ids] == expected
        assert assigned(plan, pl.Series(unit_ids)).to_list() == expected


@settings(max_examples=60)
@given(
    unit_ids=st.lists(st.text(max_size=70), min_size=1, max_size=40),
    weights=st.lists(st.integers(1, 1000), min_size=2, max_size=6),
    traffic_ppm=st.one_of(st.sampled_from([0, 1, 999_999, 1_000_000]), st.integers(0, 1_000_000)),
    salt=st.text(min_size=1, max_size=20),
)
def test_batch_equals_one_by_one(
    unit_ids: list[str], weights: list[int], traffic_ppm: int, salt: str
) -> None:
    """The polars form gives the same variant for any id, weights, traffic and salt."""
    plan = plan_of(variants=arms(*weights), control="v0", traffic_ppm=traffic_ppm, salt=salt)

    singly = [assign(plan, "offer-ranking", unit_id).variant_id for unit_id in unit_ids]

    assert assigned(plan, pl.Series(unit_ids)).to_list() == singly


def test_batch_keeps_nulls_and_stopped_experiments_null() -> None:
    """A missing id has no variant; an experiment that does not run gives none to anybody."""
    units = pl.Series(["a", None, "b"], dtype=pl.String)

    assert assigned(plan_of(), units).is_null().to_list() == [False, True, False]
    assert assigned(plan_of(state="stopped"), units).to_list() == [None, None, None]
    assert assigned(plan_of(state="stopped"), units).dtype == pl.String


def test_every_answer_says_why_and_by_which_plan() -> None:
    """Reason, plan revision, experiment revision and parameters come with each answer."""
    plan = plan_of(revision=7)
    answer = assign(plan, "offer-ranking", "member-1")

    assert answer.reason is AssignmentReason.ASSIGNED
    assert answer.plan_revision == plan.revision
    assert answer.experiment_revision == 7
    assert dict(answer.parameters) == {"ranking": "popular" if answer.variant_id == "popular" else "champion"}
    outside = assign(plan_of(traffic_ppm=0), "offer-ranking", "member-1")
    assert (outside.variant_id, outside.reason, dict(outside.parameters)) == (None, "NOT_ENROLLED", {})
    for state in ("draft", "stopped", "archived"):
        waiting = assign(plan_of(state=state), "offer-ranking", "member-1")
        assert (waiting.variant_id, waiting.reason) == (None, "NOT_RUNNING")


def test_parameters_cannot_be_changed() -> None:
    """What one caller gets, the next caller gets too."""
    answer = assign(plan_of(), "offer-ranking", "member-1")

    with pytest.raises(TypeError):
        answer.parameters["ranking"] = "mine"  # type: ignore[index] # the point of the test


def test_unknown_experiment_is_named() -> None:
    """Asking for an experiment that the plan lacks is an error with the id in it."""
    with pytest.raises(UnknownExperimentError, match="offer-rankin'"):
        assign(plan_of(), "offer-rankin", "member-1")


def test_placement_selects_running_experiments_in_order() -> None:
    """All running experiments of the placement answer, ordered by id, each as if asked alone."""
    plan = compile_plan(
        [
            definition(experiment_id="zeta"),
            definition(experiment_id="alpha", placements=["home", "checkout"]),
            definition(experiment_id="elsewhere", placements=["home"]),
            definition(experiment_id="waiting", state="draft"),
        ],
        "default",
    )

    answers = assign_all(plan, "member-1", "checkout")

    assert [answer.experiment_id for answer in answers] == ["alpha", "zeta"]
    assert answers == (assign(plan, "alpha", "member-1"), assign(plan, "zeta", "member-1"))
    assert assign_all(plan, "member-1", "nowhere") == ()


def test_ramp_up_moves_nobody() -> None:
    """Whoever is enrolled stays so, in the same arm, while traffic grows."""
    steps = [assigned(plan_of(traffic_ppm=ppm)) for ppm in (10_000, 50_000, 300_000, 900_000, 1_000_000)]

    for earlier, later in pairwise(steps):
        enrolled = earlier.is_not_null()
        assert enrolled.any()
        assert earlier.filter(enrolled).equals(later.filter(enrolled))
        assert later.is_not_null().sum() > enrolled.sum()


@pytest.mark.parametrize("ppm", [10_000, 123_456, 500_000])
def test_traffic_share_is_as_asked(ppm: int) -> None:
    """The enrolled share lies in the 99.9 % band around the traffic."""
    share, n = ppm / 1e6, len(UNITS)

    enrolled = int(assigned(plan_of(traffic_ppm=ppm)).is_not_null().sum())

    assert abs(enrolled - share * n) < Z_999 * math.sqrt(n * share * (1 - share))


@pytest.mark.parametrize("weights", [(1, 1), (90, 9, 1), (1, 2, 3, 4), (1, 1, 1, 1, 1, 1, 1)])
def test_weights_are_kept(weights: tuple[int, ...]) -> None:
    """The sizes of the arms fit their weights (chi-squared, 99.9 %)."""
    variants = assigned(plan_of(variants=arms(*weights), control="v0"))
    counts = {str(variant): count for variant, count in variants.value_counts().rows()}
    total = sum(weights)
    expected = [len(UNITS) * weight / total for weight in weights]

    chi2 = sum((counts[f"v{i}"] - e) ** 2 / e for i, e in enumerate(expected))

    assert chdtrc(len(weights) - 1, chi2) > 0.001


def independent(left: pl.Series, right: pl.Series) -> float:
    """Return the chi-squared p-value for the independence of two columns."""
    table = pl.DataFrame({"left": left, "right": right}).to_dummies(["left", "right"])
    lefts = [name for name in table.columns if name.startswith("left")]
    rights = [name for name in table.columns if name.startswith("right")]
    n, chi2 = table.height, 0.0
    for a in lefts:
        for b in rights:
            expected = int(table[a].cast(pl.Int64).sum()) * int(table[b].cast(pl.Int64).sum()) / n
            together = int((table[a].cast(pl.Int64) * table[b].cast(pl.Int64)).sum())
            chi2 += (together - expected) ** 2 / expected
    return float(chdtrc((len(lefts) - 1) * (len(rights) - 1), chi2))


def test_arm_is_independent_of_enrolment() -> None:
    """The members inside half of the traffic are split like those outside (99.9 %)."""
    arm = assigned(plan_of())
    enrolled = assigned(plan_of(traffic_ppm=500_000)).is_not_null().cast(pl.String)

    assert independent(arm, enrolled) > 0.001


def test_salts_are_independent() -> None:
    """Experiments that run side by side split the members independently: p-values over 45 pairs look uniform."""
    columns = [assigned(plan_of(salt=f"experiment-{number}"), UNITS[:20_000]) for number in range(10)]

    p_values = [independent(columns[i], columns[j]) for i in range(10) for j in range(i)]

    assert min(p_values) > 0.001 / len(p_values)
    assert sum(p < 0.05 for p in p_values) < 45 * 0.05 + Z_999 * math.sqrt(45 * 0.05 * 0.95)


def test_same_salt_means_same_split() -> None:
    """The default salt is the experiment's id; sharing a salt on purpose repeats the split."""
    other = compile_plan([definition(experiment_id="repeat", salt="offer-ranking")], "default")

    answer = assign_frame(other, "repeat", pl.col("unit")).struct.field("variant_id")
    repeated = pl.DataFrame({"unit": UNITS}).select(v=answer)["v"]

    assert repeated.equals(assigned(plan_of()))


def test_plan_revision_changes_with_what_matters() -> None:
    """Weights, salt, traffic, state, parameters, placements and revision change it; texts and metrics do not."""
    base = plan_of().revision
    changed_parameters = raw_definition()["variants"]
    changed_parameters[1]["parameters"] = {"ranking": "champion", "count": 3}
    renamed = raw_definition()["variants"]
    renamed[0]["name"] = "The usual"
    revisions = {
        base,
        plan_of(variants=arms(1, 2), control="v0").revision,
        plan_of(variants=arms(1, 3), control="v0").revision,
        plan_of(salt="other").revision,
        plan_of(traffic_ppm=10).revision,
        plan_of(state="stopped").revision,
        plan_of(variants=changed_parameters).revision,
        plan_of(placements=["home"]).revision,
        plan_of(revision=2).revision,
        plan_of(programme="other").revision,
        compile_plan([], "default").revision,
    }

    assert len(revisions) == 11
    assert all(len(revision) == 17 and revision.startswith("plan-") for revision in revisions)
    assert plan_of(hypothesis="Another text.", owner="somebody", alpha=0.1).revision == base
    assert plan_of(variants=renamed).revision == base


def test_plan_revision_ignores_the_order_of_files() -> None:
    """The order in which definitions are read does not matter, and other programmes' do not either."""
    definitions = [definition(experiment_id=name) for name in ("a", "b", "c")]
    shuffled = [*definitions, definition(experiment_id="d", programme="other")]
    random.Random(1).shuffle(shuffled)

    assert compile_plan(shuffled, "default").revision == compile_plan(definitions, "default").revision
    assert list(compile_plan(shuffled, "default").experiments) == ["a", "b", "c"]


@pytest.mark.parametrize("unit_id", [f"household-{number}" for number in range(20)])
def test_ranges_begin_at_their_bound_and_end_before_it(unit_id: str) -> None:
    """A unit's own bucket as the bound puts it just outside the range below, one more puts it just inside."""
    arm = bucket(point(Purpose.ARM, "default", "offer-ranking", unit_id))
    enrolment = bucket(point(Purpose.ENROLMENT, "default", "offer-ranking", unit_id))

    for bound, expected in ((arm, "v1"), (arm + 1, "v0")):
        plan = plan_of(variants=arms(bound, 1_000_000 - bound), control="v0")
        assert assign(plan, "offer-ranking", unit_id).variant_id == expected
        assert assigned(plan, pl.Series([unit_id])).to_list() == [expected]
    for traffic_ppm, expected_reason in ((enrolment, "NOT_ENROLLED"), (enrolment + 1, "ASSIGNED")):
        plan = plan_of(traffic_ppm=traffic_ppm)
        assert assign(plan, "offer-ranking", unit_id).reason == expected_reason
        assert assigned(plan, pl.Series([unit_id])).is_null().item() == (expected_reason == "NOT_ENROLLED")
