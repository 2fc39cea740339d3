"""Results within segments: who is in which, and the correction within a column."""

import polars as pl
import pytest

from tests.experiments.analysis.build import analysed, table

# scipy 1.16, ttest_ind with unequal variances, of the units of each segment: difference, interval, p-value.
EXPECTED = {
    "(none)": (1.7218973939393933, 0.32551577512650254, 3.118279012752284, 0.016295367077732954),
    "a": (-1.405439770723106, -3.9799017124438913, 1.1690221709976791, 0.2825997951160636),
    "b": (-1.4548323555089926, -5.5217446774408305, 2.6120799664228453, 0.4803906046987352),
}


def test_segments_are_those_of_scipy_and_nulls_are_one_of_them() -> None:
    """Each value of the column has its own comparison; units without a value are a segment too."""
    found = {}
    for one in analysed(segments=["segment"]).to_json()["segments"]:
        assert one["segment"] == "segment"
        found[one["value"]] = tuple(one[name] for name in ("estimate", "ci_lower", "ci_upper", "p_value"))

    assert set(found) == set(EXPECTED)
    for value, figures in EXPECTED.items():
        assert found[value] == pytest.approx(figures, rel=1e-9)


def test_segments_of_a_column_are_corrected_for_each_other() -> None:
    """Holm by hand: three times the smallest p-value, twice the next, and no less for the last."""
    result = analysed(segments=["segment"], correction="holm")

    adjusted = {
        one.value: one.comparison.adjusted.p_value for one in result.segments if one.comparison.adjusted
    }
    assert adjusted == pytest.approx(
        {"(none)": 3 * 0.016295367077732954, "a": 2 * 0.2825997951160636, "b": 2 * 0.2825997951160636}
    )
    assert {one.comparison.correction for one in result.segments} == {"Holm over 3"}
    assert result.results[0].correction == ""


def test_each_column_is_a_family_of_its_own() -> None:
    """A second column does not change what the first one says; all metrics and treatments of a column share it."""
    frame = table().with_columns(half=pl.int_range(400) // 2 % 2)
    one, both = (
        analysed(
            {"metric_id": "revenue"},
            {"metric_id": "cost", "role": "guardrail"},
            frame=frame,
            segments=names,
            correction="holm",
        )
        for names in (["segment"], ["segment", "half"])
    )

    adjusted = [
        [found.comparison.adjusted.p_value for found in result.segments[:6] if found.comparison.adjusted]
        for result in (one, both)
    ]
    assert adjusted[0] == pytest.approx(adjusted[1], rel=1e-9)
    assert {found.comparison.correction for found in one.segments} == {"Holm over 6"}
    assert {found.comparison.correction for found in both.segments[6:]} == {"Holm over 4"}


def test_a_segment_in_one_arm_only_has_a_reason() -> None:
    """A value that only one variant has gives no figures, and does not count in the correction."""
    frame = table().with_columns(
        segment=pl.when((pl.col("segment") == "b") & (pl.col("variant") == "new"))
        .then(pl.lit("c"))
        .otherwise("segment")
    )
    result = analysed(frame=frame, segments=["segment"], correction="holm")

    refused = {one.value: one.comparison.refusal for one in result.segments if one.comparison.pair is None}
    assert refused == {
        "b": "new: 0 units in a variant; a mean needs at least 2",
        "c": "control: 0 units in a variant; a mean needs at least 2",
    }
    assert {one.comparison.correction for one in result.segments if one.comparison.pair} == {"Holm over 2"}


def test_segments_add_up_to_the_whole() -> None:
    """Units of all segments are those of the experiment."""
    result = analysed(segments=["segment"])

    pairs = [one.comparison.pair for one in result.segments]
    assert sum(pair.units for pair in pairs if pair) == sum(result.units.values()) == 400
