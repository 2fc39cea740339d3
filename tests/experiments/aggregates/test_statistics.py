import json
from datetime import date
from typing import Any

import numpy as np
import polars as pl
import pytest

from experiments.aggregates import ColumnSource, MetricColumns, Statistics, TableLayout, Winsor, collect
from experiments.aggregates.cells import pooled
from experiments.errors import AnalysisError
from experiments.stats import Moments
from tests.experiments.aggregates.reference import metric

ARMS = {"a": "a", "b": "b"}
LAYOUT = TableLayout("variant", time_column="day", segment_columns=("country",))


def statistics(seed: int = 1, **metrics: Any) -> Statistics:
    """Return statistics of 400 units with two metrics, one of them refused."""
    random = np.random.default_rng(seed)
    size = 400
    frame = pl.DataFrame(
        {
            "variant": random.choice(["a", "b", "other"], size),
            "day": [date(2024, 3, int(day)) for day in random.integers(1, 4, size)],
            "country": random.choice(["Österreich", "DE"], size),
            "x": random.gamma(1, 1 / 3, size),
            "y": random.normal(1e7, 1, size),
            "bad": float("inf"),
        }
    )
    wanted = metrics.get("wanted") or [
        MetricColumns("xy", (ColumnSource.column("x"), ColumnSource.column("y")), Winsor(0.1, None)),
        metric("bad", "bad"),
    ]
    return collect(frame, metrics.get("layout", LAYOUT), wanted, metrics.get("arms", ARMS))


def test_json_brings_back_every_bit() -> None:
    """Statistics read from their JSON are the same to the last bit, refusals, caps and diagnostics too."""
    before = statistics()

    after = Statistics.from_json(before.to_json())

    assert after == before
    assert after.total("xy", "a") == before.total("xy", "a")
    assert after.refused == before.refused != {}
    json.loads(before.to_json(), parse_constant=pytest.fail)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "not JSON"),
        ("[]", "no statistics"),
        ('{"format":"other"}', "no statistics"),
        ('{"format":"troth-statistics","version":9}', "version 9"),
        ('{"format":"troth-statistics","version":1}', "damaged"),
    ],
)
def test_other_json_is_refused(text: str, sentence: str) -> None:
    """What is no such document, or of another version, is refused in words."""
    with pytest.raises(AnalysisError, match=sentence):
        Statistics.from_json(text)


def test_damaged_moments_are_refused() -> None:
    """Moments whose means and products differ in size are not read."""
    document = json.loads(statistics().to_json())
    document["metrics"][0]["moments"][0]["means"].pop()

    with pytest.raises(AnalysisError, match="damaged"):
        Statistics.from_json(json.dumps(document))


def test_pooling_is_merging_one_by_one() -> None:
    """Moments pooled in one step equal those merged part by part; empty parts change nothing."""
    random = np.random.default_rng(2)
    parts = [Moments.of(*(1e6 + random.normal(size=(3, n)))) for n in (5, 0, 1, 40)]
    merged = parts[0].merge(parts[1]).merge(parts[2]).merge(parts[3])

    whole = pooled(parts, 3)

    assert whole.count == merged.count == 46
    np.testing.assert_allclose(whole.means, merged.means, rtol=1e-15)
    np.testing.assert_allclose(whole.products, merged.products, rtol=1e-9)
    assert pooled([], 2) == Moments(0, (0.0, 0.0), ((0.0, 0.0), (0.0, 0.0)))


def test_what_differs_does_not_merge() -> None:
    """Statistics with other variants, segments, metrics, columns or caps are refused by name of what differs."""
    ours = statistics()
    x, y = ColumnSource.column("x"), ColumnSource.column("y")
    bad = metric("bad", "bad")
    others = {
        "variant ids": statistics(arms={"a": "a", "b": "c"}),
        "segment columns": statistics(layout=TableLayout("variant", time_column="day")),
        "metrics": statistics(wanted=[bad]),
        "columns of the metric xy": statistics(wanted=[MetricColumns("xy", (y, x), Winsor(0.1)), bad]),
        "caps of the metric xy": statistics(wanted=[MetricColumns("xy", (x, y), Winsor(0.2)), bad]),
    }

    for what, other in others.items():
        with pytest.raises(AnalysisError, match=f"different {what} cannot be merged"):
            ours.merge(other)


def test_a_metric_refused_in_one_part_is_refused_in_the_whole() -> None:
    """Half of the units are not a result."""
    merged = statistics().merge(statistics(2))

    assert list(merged.refused) == ["bad"]
    assert merged.units("a") == statistics().units("a") + statistics(2).units("a")


def test_unknown_names_are_refused() -> None:
    """Asking for a metric, variant or segment column that is not there is an error, not an empty answer."""
    found = statistics()

    for ask in (
        lambda: found.total("absent", "a"),
        lambda: found.total("xy", "absent"),
        lambda: found.units("absent"),
        lambda: found.by_segment("xy", "a", "absent"),
        lambda: found.total("bad", "a"),
    ):
        with pytest.raises(AnalysisError):
            ask()
