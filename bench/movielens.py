"""Our recommenders on MovieLens 100K, beside published figures. `python -m bench.movielens [--data FOLDER]`.

(a) The example of LightFM's documentation: the ``ua`` test part is the first 10 ratings of each user in file order, all
ratings are positive, 10 components, 10 epochs, a learning rate of 0.05; films of the training part stay in the ranking.

(b) The comparison of Microsoft's Recommenders: a random quarter of each user's ratings is the test part, all films are
ranked but those of the training part, binary NDCG at 10. This is `troth train offers --test` with its default settings, in
a process of its own for each split; whatever it tunes, it tunes on a quarter that it holds out of the training part itself.

The folder holds ``ratings.parquet`` (user_id, item_id, rating, timestamp) in the order of GroupLens' ``u.data``.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from bench.movielens_data import (
    Ratings,
    Rows,
    auc,
    first_ten,
    fit_data,
    precision,
    random_quarter,
    read_ratings,
    score_all,
    top,
)
from training.recommenders import Warp

SEEDS = range(5)

LIGHTFM_DOCS = {"bpr": (0.10, 0.86), "warp": (0.11, 0.90)}
"""Precision at 10 and AUC, from ``doc/examples/movielens_implicit.rst`` of lyst/lightfm."""

PUBLISHED = {"BiVAE": 0.475, "BPR (Cornac)": 0.442, "LightGCN": 0.420, "NCF": 0.396, "SAR": 0.382}
"""NDCG at 10, from the table in the README of recommenders-team/recommenders; one split."""


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


def print_microsoft_comparison(folder: Path, ratings: Ratings, time_budget: str) -> None:
    """Print NDCG of the command's models beside the published ones; ``chosen`` is the model it would serve."""
    found: dict[str, list[float]] = {}
    for seed in SEEDS:
        test = random_quarter(ratings.users, np.random.default_rng(seed))
        document = train(pl.read_parquet(folder / "ratings.parquet"), test, time_budget)
        for name, model in document["models"].items():
            found.setdefault(name, []).append(model["metrics"]["ndcg@10"]["value"])
        found.setdefault("chosen on validation", []).append(found[document["best"]][-1])
    print(f"(b) Microsoft's comparison, NDCG@10, mean and deviation over {len(SEEDS)} splits")
    rows = [(float(np.mean(values)), float(np.std(values, ddof=1)), name) for name, values in found.items()]
    rows += [(value, 0.0, f"{name}, published") for name, value in PUBLISHED.items()]
    for mean, deviation, name in sorted(rows, reverse=True):
        print(f"{name:25} {mean:.4f}" + (f" ± {deviation:.4f}" if deviation else ""))


def train(table: pl.DataFrame, test: Rows, time_budget: str) -> dict[str, Any]:
    """Run the command on a split and return its document."""
    with tempfile.TemporaryDirectory() as temporary:
        inside = Path(temporary)
        table.filter(~pl.Series(test)).write_parquet(inside / "train.parquet")
        table.filter(pl.Series(test)).write_parquet(inside / "test.parquet")
        command = [str(Path(sys.executable).with_name("troth")), "train", "offers"]
        command += ["--interactions", "train.parquet", "--test", "test.parquet", "--json", "result.json"]
        command += ["--member-column", "user_id", "--offer-column", "item_id"]
        command += ["--time-budget", time_budget] if time_budget else []
        subprocess.run(command, cwd=inside, check=True, stdout=subprocess.DEVNULL)
        document: dict[str, Any] = json.loads((inside / "result.json").read_text())
        return document


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, default=Path("../shared/data/movielens-100k"), metavar="FOLDER", help="the data"
    )
    parser.add_argument("--time-budget", default="", help="passed on to the command of (b)")
    options = parser.parse_args()
    folder = options.data
    if not (folder / "ratings.parquet").is_file():
        parser.exit(
            1,
            f"MovieLens 100K is not in {folder}: there is no ratings.parquet; name its folder with --data.\n",
        )
    ratings = read_ratings(folder)
    print_lightfm_example(ratings)
    print_microsoft_comparison(folder, ratings, options.time_budget)


if __name__ == "__main__":
    main()
