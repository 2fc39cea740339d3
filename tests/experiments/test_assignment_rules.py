"""Holdout, layer, overrides, sticky variants, targeting and the slices of bandits."""

import json
import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.assignment.assign import assign, assign_all, assign_frame
from experiments.assignment.hashing import Purpose, point
from experiments.assignment.plan import Assignment, AssignmentReason, Plan, compile_plan
from experiments.definition import parse_experiment
from experiments.errors import AnalysisError, DefinitionError
from tests.experiments.definitions import arms, definition, raw_definition
from tests.experiments.golden_reference import GOLDEN

Z_999 = 3.2905  # two-sided 99.9 % of the normal distribution
UNIT_IDS = [f"household-{number}" for number in range(20_000)]
TARGETING = {"attributes": {"tier": "string", "age": "int"}, "targeting": 'tier == "gold" && age >= 18'}
HOLDOUT = {"holdout_id": "year-2027", "traffic_ppm": 100_000}


def plan_of(**changes: Any) -> Plan:
    """Return the plan of one experiment, ``offer-ranking`` with changes."""
    return compile_plan([definition(**changes)], str(changes.get("programme", "default")))


def answered(
    plan: Plan, unit_ids: list[str] = UNIT_IDS, experiment_id: str = "offer-ranking"
) -> pl.DataFrame:
    """Return variants and reasons of many units, in the order of the ids."""
    frame = pl.DataFrame({"unit_id": unit_ids}, schema={"unit_id": pl.String})
    return frame.select(assign_frame(plan, experiment_id, pl.col("unit_id"))).unnest("assignment")


def pair(answer: Assignment) -> tuple[str | None, str]:
    """Return variant and reason, as a row of the batch has them."""
    return answer.variant_id, answer.reason.value


def test_answers_equal_the_golden_vectors() -> None:
    """All rules together give the answers of the frozen file, alone and in a batch."""
    groups = json.loads(GOLDEN.read_text(encoding="ascii"))["answers"]

    assert len(groups) >= 2
    for group in groups:
        experiment, units = group["experiment"], group["units"]
        plan = plan_of(control=experiment["variants"][0]["variant_id"], **experiment)
        expected = [(unit["variant_id"], unit["reason"]) for unit in units]
        singly = [
            assign(plan, "offer-ranking", unit["unit_id"], unit["attributes"], unit["earlier_variant_id"])
            for unit in units
        ]
        frame = pl.DataFrame(units, schema_overrides={"earlier_variant_id": pl.String}).unnest("attributes")
        batch = frame.select(
            assign_frame(
                plan, "offer-ranking", pl.col("unit_id"), earlier_variants=pl.col("earlier_variant_id")
            ).struct.unnest()
        )
        assert [pair(answer) for answer in singly] == expected
        assert batch.rows() == expected


@st.composite
def definitions(draw: st.DrawFn) -> dict[str, Any]:
    """Draw changes to a definition that use any of its rules."""
    weights = draw(st.lists(st.integers(0, 5), min_size=2, max_size=9).filter(any))
    variants = st.sampled_from([f"v{index}" for index in range(len(weights))])
    bounds = draw(st.lists(st.integers(0, 1000), min_size=2, max_size=8, unique=True).map(sorted))
    slots = [f"{lower}-{upper - 1}" for lower, upper in zip(bounds[::2], bounds[1::2], strict=False)]
    ppm = st.one_of(st.sampled_from([0, 1, 500_000, 999_999, 1_000_000]), st.integers(0, 1_000_000))
    holdout = st.fixed_dictionaries({"holdout_id": st.just("h"), "traffic_ppm": ppm})
    return {
        "variants": arms(*weights),
        "control": "v0",
        "traffic_ppm": draw(ppm),
        "salt": draw(st.text(min_size=1, max_size=5)),
        "holdout": draw(st.none() | holdout),
        "layer": draw(st.none() | st.just({"layer_id": "l", "slots": slots})),
        "overrides": draw(st.dictionaries(st.sampled_from(["a", "b", "é"]), variants, max_size=3)),
        "sticky": draw(st.booleans()),
        "allocation": draw(
            st.just({"kind": "fixed"})
            | st.fixed_dictionaries({"kind": st.just("thompson"), "uniform_ppm": ppm})
        ),
        "state": draw(st.sampled_from(["running", "running", "running", "stopped"])),
    } | draw(st.sampled_from([{}, TARGETING, TARGETING]))


UNITS = st.fixed_dictionaries(
    {
        "unit_id": st.sampled_from(["a", "b", "é", ""]) | st.text(max_size=40),
        "tier": st.sampled_from(["gold", "gold", "silver", None]),
        "age": st.sampled_from([17, 18, 40, None]),
        "earlier": st.sampled_from([None, "v0", "v1", "v8", "gone"]),
    }
)


@settings(max_examples=100, deadline=None)
@given(changes=definitions(), units=st.lists(UNITS, min_size=1, max_size=30))
def test_batch_equals_one_by_one(changes: dict[str, Any], units: list[dict[str, Any]]) -> None:
    """Variant and reason are the same, whatever the definition uses."""
    plan = plan_of(**changes)
    kinds = {"unit_id": pl.String, "tier": pl.String, "age": pl.Int64, "earlier": pl.String}
    frame = pl.DataFrame(units, schema=kinds)

    singly = [assign(plan, "offer-ranking", unit["unit_id"], unit, unit["earlier"]) for unit in units]
    unit_id = pl.col("unit_id")
    answer = assign_frame(plan, "offer-ranking", unit_id, earlier_variants=pl.col("earlier"))

    assert frame.select(answer.struct.unnest()).rows() == [pair(one) for one in singly]
    streamed = frame.lazy().select(answer.struct.unnest()).collect(engine="streaming")
    assert streamed.rows() == [pair(one) for one in singly]


@settings(max_examples=40, deadline=None)
@given(changes=st.lists(definitions(), min_size=1, max_size=5), unit=UNITS)
def test_together_equals_alone(changes: list[dict[str, Any]], unit: dict[str, Any]) -> None:
    """Sharing the hashes of holdout and layer among experiments changes no answer."""
    names = [f"e{index}" for index in range(len(changes))]
    plan = compile_plan(
        [definition(experiment_id=name, **change) for name, change in zip(names, changes, strict=True)],
        "default",
    )
    earlier: Mapping[str, str] = {} if unit["earlier"] is None else {"e0": unit["earlier"]}

    answers = assign_all(plan, unit["unit_id"], "checkout", unit, earlier)

    running = [name for name in names if plan.experiment(name).running]
    assert answers == tuple(assign(plan, name, unit["unit_id"], unit, earlier.get(name)) for name in running)


def test_the_first_rule_that_applies_gives_the_reason() -> None:
    """Each rule is asked only if those before it let the unit pass, in the order of the reasons."""
    everything: dict[str, Any] = {
        "state": "stopped",
        "overrides": {"u": "personal"},
        "holdout": {"holdout_id": "h", "traffic_ppm": 1_000_000},
        "layer": {"layer_id": "l", "slots": ["0"]},
        "sticky": True,
        "traffic_ppm": 0,
        **TARGETING,
    }
    steps: list[tuple[dict[str, Any], str]] = [
        ({}, "NOT_RUNNING"),
        ({"state": "running"}, "OVERRIDDEN"),
        ({"overrides": {}}, "HELD_OUT"),
        ({"holdout": None}, "NOT_IN_SLOT"),
        ({"layer": None}, "STICKY"),
        ({"sticky": False}, "TARGETING_ERROR"),
        ({"targeting": 'tier == "silver"'}, "NOT_TARGETED"),
        ({"targeting": 'tier == "gold"'}, "NOT_ENROLLED"),
        ({"traffic_ppm": 1_000_000}, "ASSIGNED"),
    ]

    reasons = []
    for step, _ in steps:
        everything |= step
        reasons.append(
            assign(plan_of(**everything), "offer-ranking", "u", {"tier": "gold"}, "popular").reason
        )

    assert reasons == [reason for _, reason in steps] == list(AssignmentReason)


def test_only_assigned_and_sticky_units_count() -> None:
    """An override has a variant, but is not evidence."""
    plan = plan_of(overrides={"tester": "personal"}, sticky=True)

    forced = assign(plan, "offer-ranking", "tester")

    assert (forced.variant_id, forced.counted) == ("personal", False)
    assert dict(forced.parameters) == {"ranking": "champion"}
    assert assign(plan, "offer-ranking", "member").counted
    assert assign(plan, "offer-ranking", "member", {}, "popular").counted
    assert not assign(plan_of(traffic_ppm=0), "offer-ranking", "member").counted


def test_an_override_moves_nobody_else() -> None:
    """The plan is never written to: after one unit's override all others are where they were."""
    before = answered(plan_of())

    plan = plan_of(overrides={"household-0": "personal"})
    for _ in range(3):
        assign(plan, "offer-ranking", "household-0")

    assert answered(plan)[1:].equals(before[1:])


def test_holdout_is_the_same_in_all_experiments() -> None:
    """Who is held out of one experiment is held out of all, in the asked share (99.9 %)."""
    one = answered(plan_of(holdout=HOLDOUT))["reason"] == "HELD_OUT"
    other = answered(plan_of(holdout=HOLDOUT, salt="another", variants=arms(1, 2), control="v0"))["reason"]

    assert one.equals(other == "HELD_OUT")
    n, share = len(UNIT_IDS), 0.1
    assert abs(int(one.sum()) - n * share) < Z_999 * math.sqrt(n * share * (1 - share))


def test_experiments_of_a_layer_share_no_unit_and_leave_none_out() -> None:
    """Every unit is in the slots of exactly one of the experiments that share all slots."""
    slots = (["0-99", "900-999"], ["100-499"], ["500-899"])
    layers = [{"layer_id": "checkout", "slots": own} for own in slots]

    inside = [
        answered(plan_of(layer=layer, salt=f"s{number}"))["variant_id"].is_not_null()
        for number, layer in enumerate(layers)
    ]

    assert set(pl.DataFrame({str(i): column for i, column in enumerate(inside)}).sum_horizontal()) == {1}


def test_a_slot_is_a_thousandth_of_the_layer() -> None:
    """The slot is the point times 1,000 over 2**64; the ranges hold it exactly."""
    for unit_id in UNIT_IDS[:50]:
        slot = point(Purpose.LAYER, "default", "l", unit_id) * 1000 >> 64
        others = [
            text
            for text in (f"0-{slot - 1}" if slot else "", f"{slot + 1}-999" if slot < 999 else "")
            if text
        ]
        for slots, reason in (([str(slot)], "ASSIGNED"), (others, "NOT_IN_SLOT")):
            plan = plan_of(layer={"layer_id": "l", "slots": slots})
            assert assign(plan, "offer-ranking", unit_id).reason == reason


def steps_up() -> st.SearchStrategy[list[tuple[int, int]]]:
    """Draw growing traffic and slots."""
    step = st.tuples(st.integers(0, 1_000_000), st.integers(1, 1_000))
    return st.lists(step, min_size=2, max_size=4).map(
        lambda drawn: list(
            zip(sorted(ppm for ppm, _ in drawn), sorted(count for _, count in drawn), strict=True)
        )
    )


@settings(max_examples=40, deadline=None)
@given(steps=steps_up(), weights=st.lists(st.integers(0, 9), min_size=2, max_size=5).filter(any))
def test_growing_moves_nobody(steps: list[tuple[int, int]], weights: list[int]) -> None:
    """More traffic and more slots never change the variant of an enrolled unit."""
    columns = [
        answered(
            plan_of(
                traffic_ppm=ppm,
                layer={"layer_id": "l", "slots": [f"{1000 - count}-999"]},
                variants=arms(*weights),
                control="v0",
                allocation={"kind": "thompson"},
            ),
            UNIT_IDS[:2_000],
        )["variant_id"]
        for ppm, count in steps
    ]

    for earlier, later in pairwise(columns):
        enrolled = earlier.is_not_null()
        assert earlier.filter(enrolled).equals(later.filter(enrolled))


def test_sticky_units_keep_an_open_arm_only() -> None:
    """A sticky unit keeps what it had although weights changed, unless the arm is closed or gone."""
    changes: dict[str, Any] = {"variants": arms(1, 99, 0), "control": "v0"}
    sticky, loose = plan_of(sticky=True, **changes), plan_of(**changes)

    for unit_id in UNIT_IDS[:200]:
        fresh = assign(sticky, "offer-ranking", unit_id)
        assert pair(assign(sticky, "offer-ranking", unit_id, {}, "v0")) == ("v0", "STICKY")
        assert assign(sticky, "offer-ranking", unit_id, {}, "v2") == fresh
        assert assign(sticky, "offer-ranking", unit_id, {}, "gone") == fresh
        assert pair(assign(loose, "offer-ranking", unit_id, {}, "v0")) == pair(fresh)


def test_a_closed_arm_gets_nobody() -> None:
    """Weight 0 empties an arm wherever it stands, in the even slice of a bandit too."""
    for weights in ((0, 1, 2), (1, 0, 2), (1, 2, 0), (0, 0, 1)):
        for allocation in ({"kind": "fixed"}, {"kind": "thompson", "uniform_ppm": 500_000}):
            plan = plan_of(variants=arms(*weights), control="v0", allocation=allocation)
            found = set(answered(plan)["variant_id"])
            assert found == {f"v{index}" for index, weight in enumerate(weights) if weight}


def test_the_slice_of_a_bandit_is_even_and_stays() -> None:
    """Units of the slice are spread evenly and keep their arm whatever the weights; the others follow the weights."""
    columns = {}
    for name, weights in (("first", (1, 1)), ("second", (19, 1))):
        plan = plan_of(
            variants=arms(*weights), control="v0", allocation={"kind": "thompson", "uniform_ppm": 400_000}
        )
        columns[name] = answered(plan)["variant_id"]
        columns["uniform"] = pl.Series([assign(plan, "offer-ranking", unit).uniform for unit in UNIT_IDS])
    both = pl.DataFrame(columns)
    slice_, rest = both.filter("uniform"), both.filter(~pl.col("uniform"))

    n = len(UNIT_IDS)
    assert abs(slice_.height - 0.4 * n) < Z_999 * math.sqrt(n * 0.4 * 0.6)
    assert slice_["first"].equals(slice_["second"])
    assert abs(int((slice_["second"] == "v1").sum()) - slice_.height / 2) < Z_999 * math.sqrt(
        slice_.height / 4
    )
    low = rest.height * 0.05
    assert abs(int((rest["second"] == "v1").sum()) - low) < Z_999 * math.sqrt(low * 0.95)


def test_a_missing_attribute_is_an_error_of_its_own() -> None:
    """Whoever cannot be judged is not enrolled, and the reason tells it from a no; a missing column means all of them."""
    plan = plan_of(**TARGETING)

    def reason(**attributes: object) -> str:
        return assign(plan, "offer-ranking", "u", attributes).reason

    assert reason(tier="gold", age=18) == "ASSIGNED"
    assert reason(tier="gold", age=17) == "NOT_TARGETED"
    assert reason(tier="silver") == "NOT_TARGETED"
    assert reason(tier="gold") == reason() == reason(tier="gold", age="18") == "TARGETING_ERROR"
    frame = pl.DataFrame({"unit_id": ["u", "w"], "tier": ["gold", "silver"]})
    answer = assign_frame(plan, "offer-ranking", pl.col("unit_id"), columns=frame.schema)
    assert frame.select(answer.struct.field("reason"))["reason"].to_list() == [
        "TARGETING_ERROR",
        "NOT_TARGETED",
    ]


def test_a_column_of_another_type_is_refused() -> None:
    """A column that cannot hold the declared type is an error with its name."""
    frame = pl.DataFrame({"unit_id": ["u"], "tier": ["gold"], "age": ["18"]})

    with pytest.raises(AnalysisError, match="age"):
        assign_frame(plan_of(**TARGETING), "offer-ranking", pl.col("unit_id"), columns=frame.schema)


def test_a_rule_that_cannot_be_read_is_refused_with_its_experiment() -> None:
    """The plan is not made, and the message names experiment, place and fault."""
    with pytest.raises(DefinitionError, match="experiment offer-ranking: targeting, line 1, column"):
        plan_of(attributes={"tier": "string"}, targeting="tier == 3")


def test_null_ids_have_no_answer() -> None:
    """A row without an id has neither variant nor reason, whatever the rules."""
    frame = pl.DataFrame({"unit_id": ["a", None], "tier": [None, "gold"], "age": [1, 20]})

    for changes in (
        {},
        TARGETING,
        {"holdout": HOLDOUT},
        {"state": "draft"},
        {"overrides": {"a": "personal"}},
    ):
        answer = assign_frame(plan_of(**changes), "offer-ranking", pl.col("unit_id"))
        rows = frame.select(answer.struct.unnest()).rows()
        assert rows[1] == (None, None)
        assert rows[0][1] is not None


def test_margins_of_a_factorial_design_are_independent() -> None:
    """Cells are variants, so each factor splits the units by its weights, whatever the other one's level."""
    factors = [
        {"factor_id": "price", "levels": [{"level_id": "low"}, {"level_id": "high", "weight": 3}]},
        {"factor_id": "text", "levels": [{"level_id": "short"}, {"level_id": "long"}, {"level_id": "none"}]},
    ]
    raw = {name: value for name, value in raw_definition().items() if name not in {"variants", "control"}}
    plan = compile_plan([parse_experiment(raw | {"factors": factors}, "test")], "default")
    cells = answered(plan)["variant_id"].str.split_exact(".", 1).struct.unnest()
    n = len(UNIT_IDS)

    counts = cells.group_by(cells.columns).len().rows()

    assert len(counts) == 6
    for price, _, count in counts:
        share = {"low": 0.25, "high": 0.75}[price] / 3
        assert abs(count - n * share) < Z_999 * math.sqrt(n * share * (1 - share))


def test_the_revision_covers_every_rule() -> None:
    """Plans that answer differently have different revisions."""
    changes: list[dict[str, Any]] = [
        {},
        {"holdout": HOLDOUT},
        {"holdout": HOLDOUT | {"holdout_id": "other"}},
        {"holdout": HOLDOUT | {"traffic_ppm": 1}},
        {"layer": {"layer_id": "l", "slots": ["0-99"]}},
        {"layer": {"layer_id": "m", "slots": ["0-99"]}},
        {"layer": {"layer_id": "l", "slots": ["0-98"]}},
        TARGETING,
        TARGETING | {"targeting": 'tier == "gold"'},
        {"attributes": {"n": "int"}, "targeting": "n == n"},
        {"attributes": {"n": "double"}, "targeting": "n == n"},
        {"overrides": {"a": "popular"}},
        {"overrides": {"a": "personal"}},
        {"sticky": True},
        {"allocation": {"kind": "thompson"}},
        {"allocation": {"kind": "thompson", "uniform_ppm": 5}},
    ]

    assert len({plan_of(**change).revision for change in changes}) == len(changes)
    slots = [{"layer_id": "l", "slots": own} for own in (["0-9"], ["5-9", "0-4"], ["0-3", "4-9"])]
    assert len({plan_of(layer=layer).revision for layer in slots}) == 1
