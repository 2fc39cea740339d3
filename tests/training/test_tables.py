"""A user's own tables: ids of any kind, every mistake named, nothing lost."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from training.data.tables import Tables, load_tables
from training.errors import DatasetError


def write(folder: Path, name: str, table: dict[str, list[object]]) -> Path:
    path = folder / f"{name}.parquet"
    pl.DataFrame(table).write_parquet(path)
    return path


def tables(path: Path, **more: object) -> Tables:
    return Tables(path, "member", "offer", **more)  # type: ignore[arg-type]  # named by each test


def test_integers_and_texts_are_the_same_ids(tmp_path: Path) -> None:
    """Ids given as whole numbers and as texts are coded alike."""
    numbers = write(tmp_path, "numbers", {"member": [10, 9, 9], "offer": [1, 2, 2]})
    texts = write(tmp_path, "texts", {"member": ["10", "9", "9"], "offer": ["1", "2", "2"]})
    one, other = load_tables(tables(numbers)).purchases, load_tables(tables(texts)).purchases
    assert one.member_ids == other.member_ids == ("10", "9")
    assert one.rows.equals(other.rows)


@pytest.mark.parametrize(
    ("column", "values", "said"),
    [
        ("value", [1.0, -2.0, 3.0], "1 row has a negative value, the first is row 2"),
        ("value", [float("nan"), 1.0, float("nan")], "2 rows have a value that is not a number"),
        ("member", ["a", None, "b"], "1 row has no id, the first is row 2"),
        ("member", [1.0, 2.5, 3.0], "not a whole number"),
        ("day", [None, 2, 3], "1 row has no time, the first is row 1"),
    ],
)
def test_wrong_values_are_named(tmp_path: Path, column: str, values: list[object], said: str) -> None:
    """A value that cannot be used is named with its column, how many rows have it, and the first of them."""
    table: dict[str, list[object]] = {
        "member": [1, 2, 3],
        "offer": [1, 2, 3],
        "value": [1.0, 1.0, 1.0],
        "day": [1, 2, 3],
    }
    path = write(tmp_path, "wrong", table | {column: values})
    with pytest.raises(DatasetError, match=f"Column '{column}'.*{said}"):
        load_tables(tables(path, value_column="value", time_column="day"))


def test_a_missing_column_is_named_with_those_that_are_there(tmp_path: Path) -> None:
    """Who mistypes a column sees the columns there are."""
    path = write(tmp_path, "t", {"member": [1], "item": [1]})
    with pytest.raises(DatasetError, match="no column 'offer' for the product; it has member, item"):
        load_tables(tables(path))


def test_what_offers_cover_links_products_to_offers(tmp_path: Path) -> None:
    """With covers, interactions hold products, and a test of offers stays one of offers."""
    bought = write(tmp_path, "bought", {"member": ["m"], "offer": ["milk"]})
    covers = write(tmp_path, "covers", {"offer_id": ["c1", "c2"], "product_id": ["milk", "tea"]})
    test = write(tmp_path, "test", {"member": ["m"], "offer": ["c2"]})
    loaded = load_tables(tables(bought, covers=covers, test=test))
    assert loaded.purchases.offer_ids == ("c1", "c2")
    assert loaded.purchases.product_ids == ("milk", "tea")
    assert loaded.test is not None
    assert loaded.test["offer"].to_list() == [1]


@pytest.mark.parametrize(
    ("bought_column", "asked", "covers"),
    [
        ("product_id", "product_id", {"offer_id": "c1", "product_id": "milk"}),
        ("product_id", "product_id", {"product_id": "milk", "offer_id": "c1"}),
        ("product_id", "offer_id", {"offer_id": "c1", "product_id": "milk"}),
        ("item", "item", {"coupon": "c1", "item": "milk"}),
        ("item", "item", {"item": "milk", "coupon": "c1"}),
        ("item", "coupon", {"coupon": "c1", "item": "milk"}),
        ("item", "item", {"coupon": "c1", "sku": "milk"}),
    ],
)
def test_offers_and_products_are_told_apart_by_names_or_by_what_is_bought(
    tmp_path: Path, bought_column: str, asked: str, covers: dict[str, str]
) -> None:
    """Whichever of the two columns is named with --offer-column, products are what members bought."""
    bought = write(tmp_path, "bought", {"member": ["m"], bought_column: ["milk"]})
    pairs = write(tmp_path, "covers", {name: [value] for name, value in covers.items()})
    loaded = load_tables(Tables(bought, "member", asked, covers=pairs))
    assert loaded.purchases.offer_ids == ("c1",)
    assert loaded.purchases.product_ids == ("milk",)
    assert loaded.purchases.covers.add_up(np.array([0], np.int32), np.ones(1, np.float32)).tolist() == [1.0]
