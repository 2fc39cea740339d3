"""Our recommenders on MovieLens 100K, beside published figures. `python -m bench.movielens [--data FOLDER]`.

(a) The example of LightFM's documentation: the ``ua`` test part is the first 10 ratings of each user in file order, all
ratings are positive, 10 components, 10 epochs, a learning rate of 0.05; films of the training part stay in the ranking.

(b) The comparison of Microsoft's Recommenders: a random quarter of each user's ratings is the test part, all films are
ranked but those of the training part, binary NDCG at 10. Settings were chosen on the training part of the first split,
of which a quarter was held out in turn; the weights of the mixtures are chosen so within each split. No test part was
used to choose anything.

The folder holds ``ratings.parquet`` (user_id, item_id, rating, timestamp) in the order of GroupLens' ``u.data``.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy import sparse

from bench.movielens_data import (
    Ratings,
    auc,
    first_ten,
    fit_data,
    ndcg,
    precision,
    random_quarter,
    read_ratings,
    score_all,
    top,
    without,
)
from training.bundle.scorers import AnyScorer
from training.recommenders import (
    Als,
    Bpr,
    Ease,
    GraphFilter,
    ItemItem,
    Lmf,
    Popularity,
    Recommender,
    TifuKnn,
    Warp,
)
from training.recommenders.mixture import fit_weights, mix, spreads

SEEDS = range(5)

LIGHTFM_DOCS = {"bpr": (0.10, 0.86), "warp": (0.11, 0.90)}
"""Precision at 10 and AUC, from ``doc/examples/movielens_implicit.rst`` of lyst/lightfm."""

PUBLISHED = {"BiVAE": 0.475, "BPR (Cornac)": 0.442, "LightGCN": 0.420, "NCF": 0.396, "SAR": 0.382}
"""NDCG at 10, from the table in the README of recommenders-team/recommenders; one split."""

TUNED: tuple[Recommender, ...] = (
    Popularity(),
    TifuKnn(half_life_days=0.0, neighbours=115),
    ItemItem(neighbours=1350, k1=0.23, b=0.94, weighting="binary"),
    Ease(regularisation=500.0, weighting="binary"),
    GraphFilter(factors=47, alpha=0.28, weighting="binary"),
    Als(factors=22, regularisation=54.6, alpha=10.7, weighting="binary"),
    Bpr(factors=16, learning_rate=0.005, regularisation=0.001, iterations=100),
    Lmf(factors=19, learning_rate=0.77, regularisation=2.9, iterations=70, negatives=5),
    Warp(factors=113, learning_rate=0.022, epochs=35, regularisation=3e-4),
)

MIXTURES = (("als", "ease", "graph_filter"), ("als", "ease", "graph_filter", "warp"))


def print_lightfm_example(ratings: Ratings) -> None:
    """Print precision and AUC of both losses beside the documented ones."""
    test = first_ten(ratings)
    train, truths = ratings.matrix(~test), ratings.matrix(test)
    data = fit_data(train)
    print(
        f"(a) LightFM's example: {train.nnz:,} training and {truths.nnz:,} test ratings, {len(SEEDS)} seeds"
    )
    print(f"{'loss':6} {'precision@10':>20} {'documented':>11} {'AUC':>8} {'documented':>11}")
    for loss, (documented_precision, documented_auc) in LIGHTFM_DOCS.items():
        precisions, areas = [], []
        for seed in SEEDS:
            recommender = Warp(loss=loss, factors=10, learning_rate=0.05, epochs=10)
            scores = score_all(recommender.fit(data, seed=seed), data)
            precisions.append(precision(top(scores), truths))
            areas.append(auc(scores, truths))
        mean, deviation = np.mean(precisions), np.std(precisions, ddof=1)
        print(
            f"{loss:6} {mean:11.4f} ± {deviation:.4f} {documented_precision:11.2f} "
            f"{np.mean(areas):8.4f} {documented_auc:11.2f}"
        )


def print_microsoft_comparison(ratings: Ratings) -> None:
    """Print NDCG of our models, alone and mixed, beside the published ones."""
    found: dict[str, list[float]] = {}
    for seed in SEEDS:
        random = np.random.default_rng(seed)
        test = random_quarter(ratings.users, random)
        kept = np.flatnonzero(~test)
        held_out = np.zeros_like(test)
        held_out[kept] = random_quarter(ratings.users[kept], random)
        for name, value in compare(ratings, ~test, held_out, seed).items():
            found.setdefault(name, []).append(value)
    print(f"(b) Microsoft's comparison, NDCG@10, mean and deviation over {len(SEEDS)} splits")
    rows = [(float(np.mean(values)), float(np.std(values, ddof=1)), name) for name, values in found.items()]
    rows += [(value, 0.0, f"{name}, published") for name, value in PUBLISHED.items()]
    for mean, deviation, name in sorted(rows, reverse=True):
        print(f"{name:40} {mean:.4f}" + (f" ± {deviation:.4f}" if deviation else ""))


def compare(
    ratings: Ratings,
    train: np.ndarray[tuple[int], np.dtype[np.bool]],
    held_out: np.ndarray[tuple[int], np.dtype[np.bool]],
    seed: int,
) -> dict[str, float]:
    """Return NDCG on the rows that are not for training, by model.

    Args:
        ratings: All ratings.
        train: Which rows are for training.
        held_out: Which of those the weights of mixtures are chosen on.
        seed: Seed of the fits.
    """
    seen, truths = ratings.matrix(train), ratings.matrix(~train)
    scorers, scores = fit_and_score(TUNED, seen, seed)
    found = {name: ndcg(top(without(one, seen)), truths) for name, one in scores.items()}
    needed = [one for one in TUNED if any(one.name in names for names in MIXTURES)]
    inner_seen, inner_truths = ratings.matrix(train & ~held_out), ratings.matrix(held_out)
    _, inner = fit_and_score(needed, inner_seen, seed)
    data = fit_data(seen)
    for names in MIXTURES:
        weights = fit_weights(np.stack([inner[name] for name in names]), inner_truths, inner_seen)
        scales = spreads(np.stack([scores[name] for name in names]), seen)
        mixture = mix([scorers[name] for name in names], weights, scales)
        found[" + ".join(names)] = ndcg(top(without(score_all(mixture, data), seen)), truths)
    return found


def fit_and_score(
    recommenders: Sequence[Recommender], seen: sparse.csr_matrix, seed: int
) -> tuple[dict[str, AnyScorer], dict[str, np.ndarray[tuple[int, int], np.dtype[np.float32]]]]:
    """Return scorers and their scores float32[users, films], by name."""
    data = fit_data(seen)
    scorers = {one.name: one.fit(data, seed=seed) for one in recommenders}
    return scorers, {name: score_all(scorer, data) for name, scorer in scorers.items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, default=Path("../shared/data/movielens-100k"), metavar="FOLDER", help="the data"
    )
    folder = parser.parse_args().data
    if not (folder / "ratings.parquet").is_file():
        parser.exit(
            1,
            f"MovieLens 100K is not in {folder}: there is no ratings.parquet; name its folder with --data.\n",
        )
    ratings = read_ratings(folder)
    print_lightfm_example(ratings)
    print_microsoft_comparison(ratings)


if __name__ == "__main__":
    main()
