"""MovieLens 100K as histories, its two published splits, and the metrics of both protocols."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import sparse

from training.bundle.history import COLUMNS, DECAYED, TRIPS, VALUE, History
from training.bundle.scorers import Covers, Scorer
from training.data.purchases import FitData

Floats = npt.NDArray[np.floating]
Rows = npt.NDArray[np.bool]


@dataclass(frozen=True, eq=False)
class Ratings:
    """All ratings in file order.

    Attributes:
        users: int64[ratings], from 0 on.
        films: int64[ratings], from 0 on.
        user_count: Number of users.
        film_count: Number of films.
    """

    users: npt.NDArray[np.int64]
    films: npt.NDArray[np.int64]
    user_count: int
    film_count: int

    def matrix(self, rows: Rows) -> sparse.csr_matrix:
        """Return float32[users, films], 1 for each rating among the rows, whatever its stars."""
        pairs = (self.users[rows], self.films[rows])
        return sparse.csr_matrix(
            (np.ones(int(rows.sum()), np.float32), pairs), shape=(self.user_count, self.film_count)
        )


def read_ratings(folder: Path) -> Ratings:
    """Read the ratings of a folder.

    Raises:
        FileNotFoundError: The folder has no ratings.
    """
    table = pl.read_parquet(folder / "ratings.parquet")
    users, films = table["user_id"].to_numpy() - 1, table["item_id"].to_numpy() - 1
    return Ratings(users.astype(np.int64), films.astype(np.int64), int(users.max()) + 1, int(films.max()) + 1)


def first_ten(ratings: Ratings) -> Rows:
    """Return which rows are the test part of ``ua``: the first 10 ratings of each user in file order."""
    return _place_in_user(ratings.users, np.arange(len(ratings.users))) < 10


def random_quarter(users: npt.NDArray[np.int64], rng: np.random.Generator) -> Rows:
    """Return which rows are held out: a random quarter of each user's."""
    place = _place_in_user(users, rng.permutation(len(users)))
    counts = np.bincount(users)[users]
    return place >= np.round(0.75 * counts)


def fit_data(matrix: sparse.csr_matrix) -> FitData:
    """Return a binary matrix as histories in which each rating is a trip of today."""
    columns = np.ones((matrix.nnz, len(COLUMNS)), np.float32)
    columns[:, TRIPS + 1 : DECAYED] = 0.0
    counts = np.diff(matrix.indptr).astype(np.float32)
    members = np.repeat(counts[:, None], len(COLUMNS), axis=1)
    members[:, TRIPS + 1 : DECAYED] = 0.0
    members[:, VALUE] = columns[:1, VALUE].sum()
    history = History(
        matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32), columns, members, matrix.shape[1]
    )
    return FitData(history, Covers(matrix.shape[1]))


def score_all(scorer: Scorer, data: FitData) -> npt.NDArray[np.float32]:
    """Return float32[users, films]."""
    history = data.history
    return np.stack([scorer.scores(history.profile(user), user) for user in range(history.member_count)])


def top(scores: Floats, count: int = 10) -> npt.NDArray[np.int64]:
    """Return int64[users, count], the best films first; ties by the order of films."""
    return np.argsort(-scores, axis=1, kind="stable")[:, :count]


def hits(ranked: npt.NDArray[np.int64], truths: sparse.csr_matrix) -> Rows:
    """Return bool[users, k], which of the ranked films are among the truths."""
    return np.take_along_axis(truths.toarray() > 0, ranked, axis=1)


def precision(ranked: npt.NDArray[np.int64], truths: sparse.csr_matrix) -> float:
    """Return the share of hits, over users with truths."""
    return float(hits(ranked, truths)[_with_truths(truths)].mean())


def auc(scores: Floats, truths: sparse.csr_matrix) -> float:
    """Return the chance that a truth ranks above another film, training films included, over users with truths."""
    areas = []
    for user in np.flatnonzero(_with_truths(truths)):
        positive = truths.indices[truths.indptr[user] : truths.indptr[user + 1]]
        ranks = np.empty(scores.shape[1])
        ranks[np.argsort(scores[user], kind="stable")] = np.arange(scores.shape[1])
        others = scores.shape[1] - len(positive)
        below = ranks[positive].sum() - len(positive) * (len(positive) - 1) / 2
        areas.append(below / (len(positive) * others))
    return float(np.mean(areas))


def _place_in_user(users: npt.NDArray[np.int64], order: npt.NDArray[np.integer]) -> npt.NDArray[np.int64]:
    """Return each row's place among those of its user, by ``order``."""
    sorted_rows = np.lexsort((order, users))
    starts = np.concatenate([[0], np.cumsum(np.bincount(users))[:-1]])
    places = np.empty(len(users), np.int64)
    places[sorted_rows] = np.arange(len(users)) - starts[users[sorted_rows]]
    return places


def _with_truths(truths: sparse.csr_matrix) -> Rows:
    return np.asarray(np.diff(truths.indptr) > 0)
