"""Our recommenders beside the libraries' own loops. `python -m bench.recommenders [--rounds N]`.

Both sides fit the same matrix with the same settings in one thread, then find the 10 best offers for every member one at
a time; the matrix is who bought which category in the Complete Journey. All take turns in each round. Prints the median
time of each and the median over rounds of ours as a ratio of theirs. Repeats are not filtered out.
"""

import argparse
import statistics
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from implicit.cpu.als import AlternatingLeastSquares
from implicit.cpu.bpr import BayesianPersonalizedRanking
from implicit.cpu.lmf import LogisticMatrixFactorization
from implicit.nearest_neighbours import BM25Recommender
from implicit.utils import ParameterWarning
from scipy import sparse
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # ships no types

from training.bundle.scorers import AnyScorer, Covers
from training.data.complete_journey import read_table
from training.data.histories import build_history
from training.data.purchases import FitData
from training.errors import DatasetError
from training.recommenders import Als, Bpr, ItemItem, Lmf, Recommender, Warp
from training.recommenders.warp import import_lightfm

RANKED = 10
SEED = 1
MICROSECONDS_A_DAY = 86_400e6


@dataclass(frozen=True, eq=False)
class Peer:
    """A library's own way to do what a recommender of ours does.

    Attributes:
        ours: Our settings.
        weighting: The weighting of the matrix that the library fits.
        fit: Returns the library's fitted model.
        rank: Returns the best items of a member from the library's model.
    """

    ours: Recommender
    weighting: str
    fit: Callable[[sparse.csr_matrix], Any]
    rank: Callable[[Any, int, sparse.csr_matrix], object]


def load_categories() -> FitData:
    """Return who bought which category, all year.

    Raises:
        DatasetError: The package with the data is not installed.
    """
    products = read_table("products").select("product_id", item="product_type")
    rows = read_table("transactions").join(products, on="product_id").drop_nulls("item")
    coded = rows.select(
        member=(pl.col("household_id").rank("dense") - 1).cast(pl.Int32),
        product=(pl.col("item").rank("dense") - 1).cast(pl.Int32),
        time=pl.col("transaction_timestamp").dt.timestamp("us") / MICROSECONDS_A_DAY,
        trip=pl.col("basket_id").rank("dense").cast(pl.Int64),
        value=pl.col("sales_value").cast(pl.Float32),
        discounted=pl.col("coupon_disc") > 0,
    )
    count = coded["product"].n_unique()
    history = build_history(
        coded,
        coded.select(pl.col("time").max()).item(),
        member_count=coded["member"].n_unique(),
        product_count=count,
    )
    return FitData(history, Covers(count))


def rank_implicit(model: Any, member: int, matrix: sparse.csr_matrix) -> object:
    return model.recommend(member, matrix[member], N=RANKED, filter_already_liked_items=False)


def rank_folded_in(model: Any, member: int, matrix: sparse.csr_matrix) -> object:
    return model.recommend(
        member, matrix[member], N=RANKED, filter_already_liked_items=False, recalculate_user=True
    )


def rank_lightfm(model: Any, member: int, matrix: sparse.csr_matrix) -> object:
    return best(model.predict(member, np.arange(matrix.shape[1]), num_threads=1))


def best(scores: npt.NDArray[np.floating]) -> npt.NDArray[np.integer]:
    """Return the places of the highest scores, the highest first."""
    first = np.argpartition(-scores, RANKED)[:RANKED]
    return first[np.argsort(-scores[first], kind="stable")]


def peers() -> dict[str, Peer]:
    """Return everything that is compared."""
    als, bpr, lmf, items, warp = Als(), Bpr(), Lmf(), ItemItem(), Warp(weighting="binary")

    def fitted(model: Any) -> Callable[[sparse.csr_matrix], Any]:
        def fit(matrix: sparse.csr_matrix) -> Any:
            model.user_factors = model.item_factors = None
            model.fit(matrix, show_progress=False)
            return model

        return fit

    def fit_lightfm(matrix: sparse.csr_matrix) -> Any:
        model = import_lightfm().LightFM(
            no_components=warp.factors, loss=warp.loss, learning_rate=warp.learning_rate, random_state=SEED
        )
        return model.fit(sparse.coo_matrix(matrix), epochs=warp.epochs, num_threads=1)

    one = {"num_threads": 1, "random_state": SEED}
    return {
        "implicit ALS": Peer(
            als,
            als.weighting,
            fitted(
                AlternatingLeastSquares(
                    als.factors, als.regularisation, als.alpha, iterations=als.iterations, **one
                )
            ),
            rank_folded_in,
        ),
        "implicit BPR": Peer(
            bpr,
            "binary",
            fitted(
                BayesianPersonalizedRanking(
                    bpr.factors, bpr.learning_rate, bpr.regularisation, iterations=bpr.iterations, **one
                )
            ),
            rank_implicit,
        ),
        "implicit LMF": Peer(
            lmf,
            lmf.weighting,
            fitted(
                LogisticMatrixFactorization(
                    lmf.factors,
                    lmf.learning_rate,
                    lmf.regularisation,
                    iterations=lmf.iterations,
                    neg_prop=lmf.negatives,
                    **one,
                )
            ),
            rank_implicit,
        ),
        "implicit BM25": Peer(
            items,
            items.weighting,
            fitted(BM25Recommender(items.neighbours + 1, items.k1, items.b, num_threads=1)),
            rank_implicit,
        ),
        "LightFM WARP": Peer(warp, "binary", fit_lightfm, rank_lightfm),
    }


def fit_and_rank(
    fit: Callable[[], Any], rank: Callable[[Any, int], object], members: int
) -> tuple[float, float]:
    """Return the seconds of a fit and those of ranking for all members."""
    start = time.perf_counter()
    model = fit()
    fitted = time.perf_counter()
    for member in range(members):
        rank(model, member)
    return fitted - start, time.perf_counter() - fitted


def compare(
    data: FitData, peer: Peer, rounds: int
) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """Return seconds of fit and ranking per round, ours and theirs."""
    history, matrix = data.history, data.matrix(peer.weighting)
    profiles = [history.profile(member) for member in range(history.member_count)]

    def rank_ours(scorer: AnyScorer, member: int) -> object:
        return best(scorer.scores(profiles[member], member))

    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(fit_and_rank(lambda: peer.ours.fit(data, seed=SEED), rank_ours, len(profiles)))
        theirs.append(
            fit_and_rank(
                lambda: peer.fit(matrix),
                lambda model, member: peer.rank(model, member, matrix),
                len(profiles),
            )
        )
    return ours, theirs


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5, help="rounds in which both take turns")
    rounds = parser.parse_args().rounds
    try:
        data = load_categories()
    except DatasetError as error:
        parser.exit(1, f"{error.message}\n")
    members, pairs = data.history.member_count, len(data.history.indices)
    print(f"{members:,} members, {data.history.product_count:,} categories, {pairs:,} pairs, {rounds} rounds")
    print(f"{'':14} {'fit, s':>8} {'ours':>8} {'ratio':>6}   {'rank, µs':>8} {'ours':>8} {'ratio':>6}")
    # implicit warns of a conversion that it makes itself.
    warnings.simplefilter("ignore", ParameterWarning)
    with threadpool_limits(1):
        for name, peer in peers().items():
            ours, theirs = compare(data, peer, rounds)
            columns = []
            for step, unit in ((0, 1.0), (1, 1e6 / members)):
                ratio = statistics.median(
                    our[step] / their[step] for our, their in zip(ours, theirs, strict=True)
                )
                columns.append(
                    f"{statistics.median(their[step] for their in theirs) * unit:8.2f} "
                    f"{statistics.median(our[step] for our in ours) * unit:8.2f} {ratio:6.2f}"
                )
            print(f"{name:14} {'   '.join(columns)}", flush=True)


if __name__ == "__main__":
    main()
