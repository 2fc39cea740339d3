"""What the second stage looks at, computed with a pencil."""

from dataclasses import replace

import numpy as np
import pytest

from training.bundle.features import (
    FALLING,
    OFFER_FEATURES,
    RISING,
    candidate_features,
    feature_names,
    line_offers,
    offer_table,
)
from training.bundle.history import DISCOUNTED, TRIPS, VALUE, History, Profile, empty_profile, one_trip
from training.bundle.scorers import Array, Covers

COVERS = Covers(
    4,
    np.array([0, 1, 2, 3, 3, 4]),
    np.array([0, 0, 1, 3], dtype=np.int32),
    np.array([0, 0, 1, 1, 0], dtype=np.int32),
)
"""Products 0 and 1 belong to offer 0, 2 to offer 1, 3 to none, 4 to offer 3; offer 2 covers nothing. Lines: 0, 1, 4 and
2, 3.
"""
NAMES = feature_names(("first",), ("age",))
OFFERS = np.arange(4)


def profile(trips: dict[int, tuple[int, float, int]]) -> Profile:
    """Return a history of trips made 84 days ago: for each product their number, their value and how many discounted."""
    columns = []
    for count, value, discounted in trips.values():
        row = one_trip(84.0) * np.float32(count)
        row[1:3] = 84.0
        row[TRIPS], row[VALUE], row[DISCOUNTED] = count, value, discounted
        columns.append(row)
    stats = one_trip(84.0) * np.float32(10)
    stats[1:3] = 84.0
    return Profile(np.array(list(trips), dtype=np.int32), np.array(columns, dtype=np.float32), stats)


def history_of(one: Profile) -> History:
    return History(
        np.array([0, len(one.products)]),
        one.products,
        one.columns,
        one.stats[None, :],
        5,
    )


BOUGHT = profile({0: (2, 4.0, 1), 1: (4, 40.0, 0), 3: (6, 6.0, 2)})


def features(
    one: Profile, candidates: np.ndarray[tuple[int], np.dtype[np.int64]] = OFFERS, covers: Covers = COVERS
) -> dict[str, Array]:
    """Return the columns by name."""
    table = offer_table(history_of(BOUGHT), covers, np.full(4, -1, np.int32))
    rows = candidate_features(
        one, candidates, covers, table, np.array([30.0], np.float32), [np.arange(4, dtype=np.float32)]
    )
    assert rows.dtype == np.float32
    assert rows.shape == (len(candidates), len(NAMES))
    return {name: rows[:, column] for column, name in enumerate(NAMES)}


def test_recent_value_is_at_the_price_of_each_product() -> None:
    """Two trips at 2 and four at 10, half of which is left after 84 days: 2 and 20, not 6 trips at the mean price."""
    found = features(BOUGHT)
    assert found["recent_value"] == pytest.approx([22, 0, 0, 0])
    assert found["value"] == pytest.approx([44, 0, 0, 0])
    assert found["discounted_trips"] == pytest.approx([1, 0, 0, 0])
    assert found["decayed_84"] == pytest.approx([3, 0, 0, 0])


def test_a_line_counts_what_the_offer_does_not_cover() -> None:
    """Offers 1 and 3 were never bought, their lines were: product 3 is of offer 1's line, products 0 and 1 of offer 3's."""
    found = features(BOUGHT)
    assert found["line_decayed_84"] == pytest.approx([3, 3, 0, 3])
    assert found["line_recent_value"] == pytest.approx([22, 3, 0, 22])
    assert found["line_discounted_trips"] == pytest.approx([1, 2, 0, 1])
    assert found["offer_lines"] == pytest.approx([1, 1, 0, 1])


def test_shares_are_of_the_highest_among_the_candidates() -> None:
    """The share of the most counts only what is to be ranked, and is 0 where nobody has anything."""
    found = features(BOUGHT)
    assert found["line_recent_value_of_most"] == pytest.approx([1, 3 / 22, 0, 1])
    assert found["recent_value_of_most"] == pytest.approx([1, 0, 0, 0])
    assert found["offer_decayed_84_of_most"] == pytest.approx([1, 0, 0, 0])
    fewer = features(BOUGHT, np.array([1, 2]))
    assert fewer["line_recent_value_of_most"] == pytest.approx([1, 0])
    assert fewer["decayed_84_of_most"].tolist() == [0, 0]


def test_products_without_a_line_and_offers_of_several() -> None:
    """A product of no line adds to none; an offer over two lines counts both, and each once."""
    covers = Covers(
        4,
        np.array([0, 1, 2, 3, 4, 4]),
        np.array([0, 0, 0, 2], dtype=np.int32),
        np.array([0, 0, 1, -1, 1], dtype=np.int32),
    )
    lines = line_offers(covers)
    assert lines is not None
    assert lines.indptr is not None
    assert lines.indices is not None
    assert (lines.indptr.tolist(), lines.indices.tolist()) == ([0, 1, 2], [0, 0])
    found = features(profile({0: (2, 2.0, 0), 3: (2, 2.0, 0), 4: (4, 4.0, 0)}), covers=covers)
    assert found["line_decayed_84"] == pytest.approx([3, 0, 0, 0])
    assert found["offer_lines"] == pytest.approx([2, 0, 0, 0])


@pytest.mark.parametrize("lines", [None, np.full(5, -1, np.int32)], ids=["none", "all unknown"])
def test_without_lines(lines: np.ndarray[tuple[int], np.dtype[np.int32]] | None) -> None:
    """Where no lines are known their columns are 0, and the others are what they are with lines."""
    covers = replace(COVERS, lines=lines)
    assert line_offers(covers) is None
    with_lines, without = features(BOUGHT), features(BOUGHT, covers=covers)
    for name, column in without.items():
        if "line" in name:
            assert not column.any()
        else:
            assert column.tobytes() == with_lines[name].tobytes()


def test_offers_that_are_products_have_lines_too() -> None:
    """Nothing is covered: a product's line is all products of its line."""
    covers = Covers(5, lines=COVERS.lines)
    table = offer_table(history_of(BOUGHT), covers, np.full(5, -1, np.int32))
    rows = candidate_features(BOUGHT, np.arange(5), covers, table, np.zeros(0, np.float32), [])
    column = feature_names((), ()).index("line_decayed_84")
    assert rows[:, column] == pytest.approx([3, 3, 3, 3, 3])


def test_somebody_unknown() -> None:
    """Without a history all features are finite, and no share is of nothing."""
    found = features(empty_profile())
    assert all(np.isfinite(column).all() for column in found.values())
    assert not found["line_recent_value_of_most"].any()


def test_the_order_of_the_candidates_changes_nothing() -> None:
    """Each candidate has the same bits wherever it stands among the same others."""
    order = np.array([3, 0, 2, 1])
    forwards, shuffled = features(BOUGHT), features(BOUGHT, order)
    for name, column in shuffled.items():
        assert column.tobytes() == forwards[name][order].tobytes()


def test_directions_are_of_features_that_exist() -> None:
    """No name is misspelled, none rises and falls, and what is told of an offer alone has no direction."""
    assert set(NAMES) >= RISING | FALLING
    assert not RISING & FALLING
    assert not RISING & set(OFFER_FEATURES)
