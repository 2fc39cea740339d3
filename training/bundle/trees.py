"""Boosted trees compiled for a few hundred rows at a time, without a library.

QuickScorer (Lucchese et al., *QuickScorer: a Fast Algorithm to Rank Documents with Additive Ensembles of Regression
Trees*, SIGIR 2015): every test that fails rules out the leaves left of it, as zero bits in one word per tree; the lowest
bit that is left is the leaf. Here the words of all tests of one feature are combined beforehand per interval between
thresholds, so a row costs one table look-up and one AND per feature for all trees together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

MAX_LEAVES = 32


@dataclass(frozen=True, slots=True, eq=False)
class Trees:
    """Compiled trees.

    Attributes:
        features: int32[used], the columns that some tree looks at.
        offsets: int64[used + 1], where each used feature's thresholds start.
        thresholds: float64[all thresholds], ascending within a feature; a value up to the threshold goes left.
        words: uint32[all thresholds + used, trees], leaves left over when a value lies in an interval; the rows of
            feature number f start at ``offsets[f] + f``.
        leaves: float64[trees, 32], values of the leaves.
    """

    features: npt.NDArray[np.int32]
    offsets: npt.NDArray[np.int64]
    thresholds: npt.NDArray[np.float64]
    words: npt.NDArray[np.uint32]
    leaves: npt.NDArray[np.float64]

    def predict(self, rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Return float64[rows], the sums of the leaf values in the order of the trees.

        Args:
            rows: float32[rows, features], finite.
        """
        trees = len(self.leaves)
        left = np.full((len(rows), trees), 0xFFFFFFFF, dtype=np.uint32)
        for place, feature in enumerate(self.features.tolist()):
            start, end = int(self.offsets[place]), int(self.offsets[place + 1])
            interval = np.searchsorted(self.thresholds[start:end], rows[:, feature].astype(np.float64))
            left &= self.words[start + place :][interval]
        lowest = left & (~left + np.uint32(1))
        leaf = np.frexp(lowest.astype(np.float64))[1] - 1
        # Rows of an outer axis are added one after the other, as a library would; pairwise sums round differently.
        values = self.leaves[np.arange(trees)[:, None], np.ascontiguousarray(leaf.T)]
        if len(rows) == 1:
            # With nothing else to run along, numpy would add pairwise.
            return np.array([sum(values[:, 0].tolist(), start=0.0)])
        sums: npt.NDArray[np.float64] = np.add.reduce(values, axis=0)
        return sums


def compile_trees(dump: Sequence[Mapping[str, Any]], scale: float = 1.0) -> Trees:
    """Compile trees.

    Args:
        dump: The root of each tree as LightGBM dumps it: ``split_feature``, ``threshold``, ``left_child`` and
            ``right_child``, or ``leaf_value``. Numeric tests ``<=`` only.
        scale: Factor on all leaf values, for the mean of several ensembles.

    Raises:
        ValueError: A tree has more than 32 leaves or a test of another kind.
    """
    tests: list[tuple[int, float, int, int]] = []
    leaves = np.zeros((len(dump), MAX_LEAVES))
    for tree, root in enumerate(dump):
        _walk(root, tree, 0, tests, leaves)
    features = sorted({feature for feature, *_ in tests})
    offsets, thresholds, words = [0], [], []
    for feature in features:
        own = sorted(test for test in tests if test[0] == feature)
        values = sorted({threshold for _, threshold, _, _ in own})
        interval = {threshold: number for number, threshold in enumerate(values, start=1)}
        block = np.full((len(values) + 1, len(dump)), 0xFFFFFFFF, dtype=np.uint32)
        for _, threshold, tree, ruled_out in own:
            block[interval[threshold], tree] &= np.uint32(0xFFFFFFFF ^ ruled_out)
        words.append(np.bitwise_and.accumulate(block, axis=0))
        thresholds += values
        offsets.append(len(thresholds))
    return Trees(
        features=np.array(features, dtype=np.int32),
        offsets=np.array(offsets, dtype=np.int64),
        thresholds=np.array(thresholds, dtype=np.float64),
        words=np.concatenate(words) if words else np.zeros((0, len(dump)), np.uint32),
        leaves=leaves * scale,
    )


def _walk(
    node: Mapping[str, Any],
    tree: int,
    first_leaf: int,
    tests: list[tuple[int, float, int, int]],
    leaves: npt.NDArray[np.float64],
) -> int:
    """Number the leaves below a node from the left and collect its tests; return how many leaves there are."""
    if "leaf_value" in node:
        if first_leaf >= MAX_LEAVES:
            raise ValueError(f"A tree has more than {MAX_LEAVES} leaves.")
        leaves[tree, first_leaf] = node["leaf_value"]
        return 1
    if node.get("decision_type", "<=") != "<=":
        raise ValueError(f"A tree tests with {node['decision_type']!r}; only '<=' can be compiled.")
    left = _walk(node["left_child"], tree, first_leaf, tests, leaves)
    right = _walk(node["right_child"], tree, first_leaf + left, tests, leaves)
    ruled_out = ((1 << left) - 1) << first_leaf
    tests.append((int(node["split_feature"]), float(node["threshold"]), tree, ruled_out))
    return left + right
