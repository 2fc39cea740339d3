"""What a run keeps so that the model can be judged later: numbers per case, and scores as training computed them. Both ends live here."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from experiments.stats.estimate import Estimate
from training.bundle import Ids, OfferModel
from training.evaluation import ModelEvaluation, over_members

CASES_FILE = "cases.parquet"
CHAMPION_CASES_FILE = "champion_cases.parquet"
PARITY_FILE = "parity.npz"
PARITY_MEMBERS = 50

_MEMBER, _FOLD, _TRUTHS = "member_id", "fold", "truths"


@dataclass(frozen=True, eq=False)
class Cases:
    """How a model did in each case that it was judged on.

    Attributes:
        member_ids: Member of each case.
        folds: int32[cases], which fold the case is of.
        truths: int32[cases], number of relevant offers.
        metrics: float64[cases] by name, such as ``ndcg@10``; NaN where a metric does not apply.
    """

    member_ids: pl.Series
    folds: npt.NDArray[np.int32]
    truths: npt.NDArray[np.int32]
    metrics: Mapping[str, npt.NDArray[np.float64]]

    @property
    def members(self) -> npt.NDArray[np.int32]:
        """int32[cases], a number for each member."""
        return self.member_ids.rank("dense").cast(pl.Int32).to_numpy()

    def estimate(self, metric: str) -> Estimate:
        """Return the mean with its error over members."""
        return over_members(self.metrics[metric], self.members)

    def same_as(self, other: "Cases") -> bool:
        """Whether both are of the same cases."""
        return (
            np.array_equal(self.folds, other.folds)
            and np.array_equal(self.truths, other.truths)
            and self.member_ids.equals(other.member_ids)
        )

    def difference(self, other: "Cases", metric: str) -> Estimate:
        """Return the paired difference to another model on the same cases.

        Raises:
            ValueError: The cases differ.
        """
        if not self.same_as(other):
            raise ValueError("The two models were not judged on the same cases.")
        return over_members(self.metrics[metric] - other.metrics[metric], self.members)


def write_cases(path: Path, evaluation: ModelEvaluation, member_ids: Ids) -> None:
    """Write an evaluation case by case.

    Args:
        path: Parquet file to write.
        evaluation: How the model did.
        member_ids: Ids of the members that the evaluation counts.
    """
    names = np.array(member_ids.texts(), dtype=object)[evaluation.members]
    folds = np.repeat(np.arange(len(evaluation.lists)), [len(part.members) for part in evaluation.lists])
    truths = np.concatenate([part.truth_count for part in evaluation.lists])
    columns = {
        _MEMBER: pl.Series(names.tolist(), dtype=pl.String),
        _FOLD: folds.astype(np.int32),
        _TRUTHS: truths.astype(np.int32),
    }
    pl.DataFrame(columns | dict(evaluation.cases)).write_parquet(path)


def read_cases(path: Path) -> Cases:
    """Read what ``write_cases`` wrote."""
    table = pl.read_parquet(path)
    keys = {_MEMBER, _FOLD, _TRUTHS}
    metrics = {name: table[name].to_numpy() for name in table.columns if name not in keys}
    return Cases(table[_MEMBER], table[_FOLD].to_numpy(), table[_TRUTHS].to_numpy(), metrics)


@dataclass(frozen=True, eq=False)
class Parity:
    """Scores of sampled members, as the model in the memory of the training job computed them.

    Attributes:
        members: int64[n], positions; -1 stands for somebody the model does not know.
        offsets: int64[n + 1], where the candidates of each member start.
        candidates: int64[entries], offers.
        scores: float32[entries].
    """

    members: npt.NDArray[np.int64]
    offsets: npt.NDArray[np.int64]
    candidates: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float32]


def parity_of(model: OfferModel, seed: int) -> Parity:
    """Score all candidates of at most 50 members, drawn at random, and of one that the model does not know."""
    count = len(model.member_ids)
    drawn = np.random.default_rng(seed).choice(count, min(PARITY_MEMBERS, count), replace=False)
    members = np.concatenate([np.sort(drawn), [-1]]).astype(np.int64)
    candidates, scores = [], []
    for member in members.tolist():
        known = member if member >= 0 else None
        profile = model.profile(known)
        candidates.append(np.flatnonzero(model.applicable(profile)))
        scores.append(model.scores(profile, known, candidates[-1]))
    offsets = np.cumsum([0, *(len(part) for part in candidates)]).astype(np.int64)
    return Parity(members, offsets, np.concatenate(candidates), np.concatenate(scores))


def write_parity(path: Path, parity: Parity) -> None:
    """Write scores to compare a bundle with."""
    np.savez_compressed(
        path,
        members=parity.members,
        offsets=parity.offsets,
        candidates=parity.candidates.astype(np.int32),
        scores=parity.scores,
    )


def read_parity(path: Path) -> Parity:
    """Read what ``write_parity`` wrote."""
    with np.load(path, allow_pickle=False) as file:
        return Parity(file["members"], file["offsets"], file["candidates"].astype(np.int64), file["scores"])
