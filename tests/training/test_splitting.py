"""Splits: no fold knows its own truths, nor what an outer fold holds out."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from training.bundle import Task
from training.data.tables import LoadedTables, Tables, load_tables
from training.errors import DatasetError
from training.evaluation import Fold
from training.evaluation.folds import given_split, temporal_split, wants_repeats

Pairs = set[tuple[int, int]]
MEMBERS, OFFERS, EACH = 40, 60, 20


def truths(fold: Fold) -> Pairs:
    """Return (member, offer) pairs of the truths."""
    rows, offers = fold.truths.nonzero()
    return set(zip(fold.members[rows].tolist(), offers.tolist(), strict=True))


def known(fold: Fold) -> Pairs:
    """Return (member, product) pairs of the histories."""
    history = fold.data.history
    members = np.repeat(np.arange(history.member_count), np.diff(history.indptr))
    return set(zip(members.tolist(), history.indices.tolist(), strict=True))


def load(folder: Path, train: pl.DataFrame, test: pl.DataFrame | None, *, times: bool) -> LoadedTables:
    train.write_parquet(folder / "train.parquet")
    if test is not None:
        test.write_parquet(folder / "test.parquet")
    return load_tables(
        Tables(
            folder / "train.parquet",
            "member",
            "offer",
            time_column="day" if times else "",
            test=None if test is None else folder / "test.parquet",
        )
    )


def interactions(seed: int = 4) -> pl.DataFrame:
    """Return 20 distinct offers of each member, one a day."""
    rng = np.random.default_rng(seed)
    rows = [
        (member, int(offer), day)
        for member in range(MEMBERS)
        for day, offer in enumerate(rng.permutation(OFFERS)[:EACH])
    ]
    return pl.DataFrame(rows, schema=["member", "offer", "day"], orient="row")


def test_random_parts_hold_out_what_no_inner_part_knows(tmp_path: Path) -> None:
    """A quarter is held out as the test was; what validation asks is neither known nor asked in the training parts."""
    table = interactions()
    outside = pl.Series(np.random.default_rng(1).permutation(len(table)) % 4 == 0)
    loaded = load(tmp_path, table.filter(~outside), table.filter(outside), times=False)
    assert loaded.test is not None
    split = given_split(loaded.purchases, loaded.test, Task.DISCOVER, seed=3)
    (validation,), train = [make() for make in split.validate], [make() for make in split.train]
    (test,) = [make() for make in split.test]
    everything = known(test)
    assert truths(validation) | known(validation) == everything
    assert not truths(validation) & known(validation)
    assert len(truths(validation)) == pytest.approx(len(everything) / 4, rel=0.05)
    for fold in train:
        assert not truths(validation) & (known(fold) | truths(fold))
        assert truths(fold) | known(fold) == known(validation)
        assert not truths(fold) & known(fold)
    assert truths(train[0]) != truths(train[1])
    assert not truths(test) & everything
    assert truths(next(make() for make in split.validate)) == truths(validation)


def test_the_latest_of_each_member_are_held_out_when_the_test_is_the_latest(tmp_path: Path) -> None:
    """Leave-last-out: validation asks for the last of the training table, each training part for the one before."""
    table = interactions().with_columns(day=pl.col("day") + pl.col("member"))
    last = pl.col("day") == pl.col("day").max().over("member")
    loaded = load(tmp_path, table.filter(~last), table.filter(last), times=True)
    assert loaded.test is not None
    split = given_split(loaded.purchases, loaded.test, Task.DISCOVER, seed=3)
    folds = [make() for make in (*split.test, *split.validate, *split.train)]
    offers = {offer: place for place, offer in enumerate(loaded.purchases.offer_ids)}
    members = {member: place for place, member in enumerate(loaded.purchases.member_ids)}
    for back, fold in enumerate(folds):
        asked = table.filter(pl.col("day") == pl.col("member") + EACH - 1 - back)
        assert truths(fold) == {
            (members[str(member)], offers[str(offer)]) for member, offer, _ in asked.iter_rows()
        }
        assert len(known(fold)) == MEMBERS * (EACH - 1 - back)


def test_windows_in_time_follow_each_other(tmp_path: Path) -> None:
    """Test, validation and training windows are the last ones of the table, each known up to its own first moment."""
    loaded = load(tmp_path, interactions(), None, times=True)
    split = temporal_split(loaded.purchases, Task.DISCOVER, horizon=4.0, min_buyers=0)
    folds = [make() for make in (*split.train, *split.validate, *split.test)]
    assert [fold.cutoff for fold in folds][-2:] == [11.0, 15.0]
    for fold in folds:
        assert len(known(fold)) == MEMBERS * (fold.cutoff + 1)
        assert len(truths(fold)) == MEMBERS * 4
        assert not truths(fold) & known(fold)
    assert all(fold.label_end <= 11.0 for fold in folds[:-2])


def test_too_short_a_table_is_refused_with_a_way_out(tmp_path: Path) -> None:
    """Three windows are the least; the message says how to get them."""
    loaded = load(tmp_path, interactions(), None, times=True)
    with pytest.raises(DatasetError, match="--horizon"):
        temporal_split(loaded.purchases, Task.DISCOVER, horizon=28.0)
    untimed = load(tmp_path, interactions(), None, times=False)
    with pytest.raises(DatasetError, match="--time-column"):
        temporal_split(untimed.purchases, Task.DISCOVER)


def test_repeats_are_seen(tmp_path: Path) -> None:
    """A test part that repeats the training table wants repeats; one of new pairs does not."""
    table = interactions()
    new, again = table.filter(pl.col("day") >= 15), table.filter(pl.col("day") < 5)
    for test, wanted in ((new, False), (again, True)):
        loaded = load(tmp_path, table.filter(pl.col("day") < 15), test, times=False)
        assert loaded.test is not None
        assert wants_repeats(loaded.purchases, loaded.test) == wanted
