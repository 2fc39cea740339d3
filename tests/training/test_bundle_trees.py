"""Compiled trees give what LightGBM gives, bit for bit."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.training.bundle_models import leaf, split
from training.bundle.trees import MAX_LEAVES, compile_trees

Rows = npt.NDArray[np.float32]


def _rows(*rows: list[float]) -> Rows:
    return np.array(rows, dtype=np.float32)


def _walk(node: Any, row: Rows) -> float:
    """Follow a row to its leaf, one test after the other."""
    while "leaf_value" not in node:
        left = float(row[node["split_feature"]]) <= node["threshold"]
        node = node["left_child"] if left else node["right_child"]
    return float(node["leaf_value"])


def _balanced(leaves: int, first: int = 0, feature: int = 0) -> Any:
    """Return a tree over one feature whose leaf number k holds for values in (k - 1, k]."""
    if leaves == 1:
        return leaf(float(first) / 3)
    left = leaves // 2
    return split(
        feature,
        float(first + left - 1),
        _balanced(left, first, feature),
        _balanced(leaves - left, first + left, feature),
    )


@pytest.mark.parametrize("objective", ["regression", "binary", "lambdarank"])
@pytest.mark.parametrize("leaves", [2, 7, 32])
def test_equal_to_lightgbm(objective: str, leaves: int) -> None:
    """For several objectives and sizes the sums have the bits of LightGBM's raw prediction, also on values that lie on
    thresholds, and for one row as for many.
    """  # noqa: D205  # one sentence
    import lightgbm

    random = np.random.default_rng(leaves)
    rows = random.normal(size=(600, 9)).astype(np.float32)
    rows[:, 1] = random.integers(0, 4, 600)
    rows[:, 2] = np.where(random.random(600) < 0.5, -1.0, rows[:, 2])
    wanted = random.integers(0, 2, 600) if objective != "regression" else rows[:, 0] ** 2 + rows[:, 1]
    group = [30] * 20 if objective == "lambdarank" else None
    settings_ = {"objective": objective, "num_leaves": leaves, "min_data_in_leaf": 2, "use_missing": False}
    booster = lightgbm.train(
        {**settings_, "verbose": -1, "num_threads": 1, "seed": 3},
        lightgbm.Dataset(rows, wanted, group=group),
        num_boost_round=40,
    )
    dump = [one["tree_structure"] for one in booster.dump_model()["tree_info"]]
    trees = compile_trees(dump)
    on_thresholds = rows[: len(trees.thresholds)].copy()
    for place, feature in enumerate(trees.features.tolist()):
        some = trees.thresholds[trees.offsets[place] : trees.offsets[place + 1]]
        # LightGBM takes what lies within 1e-35 of 0 for 0, and puts thresholds there.
        some = np.where(np.abs(some) < 1e-30, 0.0, some)
        on_thresholds[:, feature] = np.resize(some, len(on_thresholds)).astype(np.float32)

    for table in (rows, on_thresholds):
        expected = np.asarray(booster.predict(table.astype(np.float64), raw_score=True))
        assert trees.predict(table).tobytes() == expected.tobytes()
        assert trees.predict(table[5:6]).tobytes() == expected[5:6].tobytes()


def test_threshold_goes_left() -> None:
    """A value equal to the threshold goes left, the next larger one right."""
    trees = compile_trees([split(0, 0.5, leaf(1.0), leaf(2.0))])
    above = float(np.nextafter(np.float32(0.5), np.float32(1)))
    assert trees.predict(_rows([0.5], [above], [-9.0])).tolist() == [1.0, 2.0, 1.0]


def test_one_leaf() -> None:
    """A tree that never splits adds its value to every row, alone or among others."""
    assert compile_trees([leaf(0.25)]).predict(_rows([1.0], [2.0])).tolist() == [0.25, 0.25]
    mixed = compile_trees([leaf(0.25), split(1, 0.0, leaf(1.0), leaf(2.0)), leaf(-0.5)])
    assert mixed.predict(_rows([0, 0], [0, 1])).tolist() == [0.75, 1.75]


def test_no_rows_and_no_trees() -> None:
    """No row gives no sum; no tree gives sums of nothing."""
    assert compile_trees([_balanced(4)]).predict(np.zeros((0, 1), np.float32)).shape == (0,)
    assert compile_trees([]).predict(_rows([1.0], [2.0])).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("leaves", [2, 3, 31, 32])
def test_one_feature_reaches_every_leaf(leaves: int) -> None:
    """Over one feature, and with as many leaves as fit, each interval leads to its own leaf."""
    values = np.arange(leaves, dtype=np.float32)[:, None]
    assert compile_trees([_balanced(leaves)]).predict(values).tolist() == [k / 3 for k in range(leaves)]


def test_too_many_leaves() -> None:
    """A tree that does not fit into a word is refused when it is compiled."""
    with pytest.raises(ValueError, match="more than 32 leaves"):
        compile_trees([_balanced(MAX_LEAVES + 1)])


def test_categorical_tests_are_refused() -> None:
    """A test of another kind than ``<=`` is refused instead of being read as one."""
    node = {**split(0, 1.0, leaf(0.0), leaf(1.0)), "decision_type": "=="}
    with pytest.raises(ValueError, match="'=='"):
        compile_trees([node])


def _trees(depth: int) -> st.SearchStrategy[Any]:
    leaves = st.builds(leaf, st.floats(-10, 10))
    if depth == 0:
        return leaves
    below = _trees(depth - 1)
    few = st.sampled_from([-1.0, 0.0, 0.5, 1.0, 1e30])
    return st.one_of(leaves, st.builds(split, st.integers(0, 2), few, below, below))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(_trees(4), min_size=1, max_size=5),
    st.lists(
        st.lists(st.sampled_from([-2.0, -1.0, 0.0, 0.25, 0.5, 1.0, 2.0]), min_size=3, max_size=3), min_size=1
    ),
)
def test_equal_to_walking(dump: list[Any], rows: list[list[float]]) -> None:
    """Any trees, with thresholds that repeat within and between them, give the sum of the leaves that a walk reaches."""
    table = _rows(*rows)
    expected = [sum((_walk(root, row) for root in dump), start=0.0) for row in table]
    assert compile_trees(dump).predict(table).tolist() == expected
