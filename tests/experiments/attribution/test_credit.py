"""Who earns the credit for an outcome, on logs whose answer is obvious by eye."""

from pathlib import Path

import polars as pl
import pytest

from experiments.errors import AnalysisError
from experiments.log.attribution import CREDIT_COLUMNS, AttributionRule, AttributionRules, attribute
from experiments.log.frames import EventFrames
from tests.experiments.attribution.logs import action, decision, exposure, log, outcome

WEEK = AttributionRules({"home": 7})
SEEN = AttributionRules({"home": 7}, AttributionRule.EXPOSED_LAST_TOUCH)


def credited(frames: EventFrames, rules: AttributionRules) -> dict[str, tuple[str, str | None, str | None]]:
    """Return status, decision and candidate by event."""
    rows = attribute(frames, rules).select("event_id", "status", "decision_id", "candidate_id").rows()
    return {event_id: (status, decision_id, candidate) for event_id, status, decision_id, candidate in rows}


def test_an_outcome_goes_to_the_decision_that_it_names(tmp_path: Path) -> None:
    """To the named one, not to a later one; to the candidate that it names, or that is the only one."""
    frames = log(
        tmp_path,
        [
            decision("d1", "ann", 0, "tea", "jam"),
            decision("d2", "ann", 1, "tea", "jam"),
            decision("d3", "ann", 2, "rice"),
        ],
        [
            outcome("offer", "ann", 3, "redemption", decision_id="d1", offer_id="jam"),
            outcome("no offer", "ann", 3, "impression", decision_id="d1"),
            outcome("only offer", "ann", 3, "click", decision_id="d3"),
            outcome("foreign offer", "ann", 3, "purchase", decision_id="d3", offer_id="jam"),
            outcome("clock behind", "ann", -0.1, "click", decision_id="d1", offer_id="tea"),
        ],
    )

    assert credited(frames, WEEK) == {
        "offer": ("attributed", "d1", "jam"),
        "no offer": ("attributed", "d1", None),
        "only offer": ("attributed", "d3", "rice"),
        "foreign offer": ("attributed", "d3", None),
        "clock behind": ("attributed", "d1", "tea"),
    }


def test_what_names_a_decision_goes_to_no_other(tmp_path: Path) -> None:
    """A late one, one of an unknown decision and one of another member's are credited to nobody."""
    frames = log(
        tmp_path,
        [decision("d1", "ann", 0, "tea"), decision("d2", "ann", 5, "tea"), decision("d3", "bob", 5, "tea")],
        [
            outcome("last moment", "ann", 7, "redemption", decision_id="d1", offer_id="tea"),
            outcome("late", "ann", 7.0001, "redemption", decision_id="d1", offer_id="tea"),
            outcome("unknown", "ann", 6, "redemption", decision_id="d9", offer_id="tea"),
            outcome("another's", "ann", 6, "redemption", decision_id="d3", offer_id="tea"),
        ],
    )

    assert credited(frames, WEEK) == {
        "last moment": ("attributed", "d1", "tea"),
        "late": ("late", None, None),
        "unknown": ("no_decision", None, None),
        "another's": ("other_member", None, None),
    }


def test_an_offer_goes_to_its_latest_decision(tmp_path: Path) -> None:
    """At or before the outcome, of the member, within the window; at the same time the larger id is the latest."""
    frames = log(
        tmp_path,
        [
            decision("d1", "ann", 0, "tea"),
            decision("d2", "ann", 1, "tea", "jam"),
            decision("d4", "ann", 2, "rice"),
            decision("d3", "ann", 2, "rice"),
            decision("d5", "bob", 2, "tea"),
        ],
        [
            outcome("before", "ann", -1, "redemption", offer_id="tea"),
            outcome("between", "ann", 0.5, "redemption", offer_id="tea"),
            outcome("same time", "ann", 1, "redemption", offer_id="tea"),
            outcome("after", "ann", 3, "return", offer_id="tea", value=-2),
            outcome("same times", "ann", 3, "redemption", offer_id="rice"),
            outcome("not given", "ann", 3, "redemption", offer_id="honey"),
            outcome("late", "ann", 8.5, "redemption", offer_id="jam"),
        ],
    )

    assert credited(frames, WEEK) == {
        "before": ("no_decision", None, None),
        "between": ("attributed", "d1", "tea"),
        "same time": ("attributed", "d2", "tea"),
        "after": ("attributed", "d2", "tea"),
        "same times": ("attributed", "d4", "rice"),
        "not given": ("no_decision", None, None),
        "late": ("late", None, None),
    }


def test_a_purchase_goes_to_the_latest_decision_as_a_whole(tmp_path: Path) -> None:
    """It names nothing: the latest decision that gave anything has it, unless the stricter rule is asked for."""
    frames = log(
        tmp_path,
        [
            decision("d1", "ann", 0, "tea"),
            action("d2", "ann", 1, "care", "email"),
            decision("d3", "ann", 2),
        ],
        [
            outcome("bought", "ann", 3, "purchase", value=20),
            outcome("returned", "ann", 9, "return", value=-20),
        ],
    )

    assert credited(frames, WEEK) == {"bought": ("attributed", "d2", None), "returned": ("late", None, None)}
    strict = AttributionRules({"home": 7}, credit_unnamed=False)
    assert credited(frames, strict)["bought"] == ("no_decision", None, None)


def test_each_placement_has_its_own_window(tmp_path: Path) -> None:
    """An earlier decision with a longer window earns what a later one is too old for; others have the default."""
    frames = log(
        tmp_path,
        [
            decision("long", "ann", 0, "tea", placement_id="letter"),
            decision("short", "ann", 1, "tea", placement_id="push"),
            decision("usual", "bob", 0, "tea", placement_id="app"),
        ],
        [
            outcome("soon", "ann", 2, "redemption", offer_id="tea"),
            outcome("later", "ann", 9, "purchase"),
            outcome("at last", "ann", 31, "purchase"),
            outcome("by default", "bob", 3, "purchase"),
            outcome("over", "bob", 4.5, "purchase"),
        ],
    )

    assert credited(frames, AttributionRules({"letter": 30, "push": 2}, default_window_days=4)) == {
        "soon": ("attributed", "short", "tea"),
        "later": ("attributed", "long", None),
        "at last": ("late", None, None),
        "by default": ("attributed", "usual", None),
        "over": ("late", None, None),
    }


def test_only_what_was_seen_earns_credit_by_exposure(tmp_path: Path) -> None:
    """From the first view, click or logged exposure on; the latest decision among those seen, not the latest seen."""
    frames = log(
        tmp_path,
        [
            decision("d1", "ann", 0, "tea"),
            decision("d2", "ann", 1, "tea"),
            decision("d3", "ann", 2, "tea"),
            decision("d4", "bob", 0, "tea"),
        ],
        [
            outcome("view 2", "ann", 3, "view", decision_id="d2"),
            outcome("early", "ann", 2.5, "redemption", offer_id="tea"),
            outcome("after", "ann", 3.5, "redemption", offer_id="tea"),
            outcome("view 1", "ann", 4, "view", decision_id="d1"),
            outcome("after both", "ann", 5, "purchase"),
            outcome("named unseen", "ann", 5, "redemption", decision_id="d3", offer_id="tea"),
            outcome("by exposure", "bob", 2, "redemption", offer_id="tea"),
        ],
        exposures=[exposure("x1", "bob", 1, "d4")],
    )

    assert credited(frames, SEEN) == {
        "view 2": ("attributed", "d2", "tea"),
        "early": ("not_exposed", None, None),
        "after": ("attributed", "d2", "tea"),
        "view 1": ("attributed", "d1", "tea"),
        "after both": ("attributed", "d2", None),
        "named unseen": ("not_exposed", None, None),
        "by exposure": ("attributed", "d4", "tea"),
    }
    assert credited(frames, WEEK)["early"] == ("attributed", "d3", "tea")
    other = AttributionRules({"home": 7}, AttributionRule.EXPOSED_LAST_TOUCH, exposure_types=("impression",))
    assert credited(frames, other)["after"] == ("not_exposed", None, None)


def test_anonymous_ids_count_for_their_member(tmp_path: Path) -> None:
    """A decision for a cookie earns what its member did later, and the credit names the member."""
    frames = log(
        tmp_path,
        [decision("d1", "cookie", 0, "tea")],
        [outcome("bought", "ann", 1, "redemption", offer_id="tea")],
        links=[("cookie", "ann")],
    )

    assert credited(frames, WEEK) == {"bought": ("attributed", "d1", "tea")}


def test_an_event_that_is_there_twice_counts_once(tmp_path: Path) -> None:
    """Frames of other origin may repeat events; the columns are those of the schema, even without any row."""
    frames = log(tmp_path, [decision("d1", "ann", 0, "tea")], [outcome("o1", "ann", 1, "purchase", value=3)])
    twice = EventFrames(
        frames.decisions, frames.exposures, pl.concat([frames.outcomes] * 2), frames.identities
    )
    nothing = EventFrames(
        frames.decisions.clear(), frames.exposures, frames.outcomes.clear(), frames.identities
    )

    assert attribute(twice, WEEK).height == 1
    for found in (attribute(twice, SEEN), attribute(nothing, SEEN)):
        assert dict(found.schema) == CREDIT_COLUMNS
    assert attribute(nothing, SEEN).is_empty()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"windows": {"home": 0}}, "of placement 'home' is 0 days"),
        ({"windows": {"home": float("nan")}}, "nan days"),
        ({"default_window_days": 400}, "by default is 400 days; it must be above 0 and at most 366"),
        (
            {"rule": "first_touch"},
            "no attribution rule 'first_touch'; the rules are last_touch, exposed_last",
        ),
    ],
)
def test_rules_that_make_no_sense_are_refused(changes: dict[str, object], sentence: str) -> None:
    """The sentence names the placement, the value and the bounds."""
    with pytest.raises(AnalysisError, match=sentence):
        AttributionRules(**changes)  # type: ignore[arg-type]  # fields by name
