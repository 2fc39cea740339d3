"""The choices inside the hot paths, each beside what it was chosen over. `python -m bench.kernels`.

Prints the hashes of batch assignment (ids a second, by number of hashes per id), choosing 3 offers of many (time as a
ratio to partitioning), and scoring 200 candidates by a second stage of 300 trees with 31 leaves (trees alone beside
LightGBM's own prediction, features, whole, and the reasons of what is chosen), and the effects of three arms on one member.
"""

import statistics
import timeit
from collections.abc import Callable
from functools import partial

import numpy as np
import polars as pl
import polars_hash  # noqa: F401 registers the expression namespaces

from bench.scene import ranking_model
from experiments.uplift.trial import Trial
from server.decide.slate import best
from training.bundle import explain
from training.bundle.features import candidate_features
from training.bundle.ranker import Ranker
from training.uplift.features import encode
from training.uplift.job import compile_effects
from training.uplift.learning import learn_effects

IDS = 2_000_000
ROUNDS = 3
RANKED = 3
CANDIDATES = 200


def digests(units: pl.Expr, function: str, count: int) -> list[pl.Expr]:
    """Return so many salted digests of a column."""
    made = []
    for salt in range(count):
        text = pl.concat_str(
            pl.lit(f"6:salt-{salt},"), units.str.len_bytes().cast(pl.String), pl.lit(":"), units
        )
        hashed = text.nchash.xxhash64() if function == "XXH64" else text.chash.sha2_256()  # type: ignore[attr-defined]
        made.append(hashed.alias(f"{function}-{salt}"))
    return made


def hash_rates() -> None:
    """Print ids a second for both hashes; they take turns."""
    frame = pl.DataFrame({"unit": pl.int_range(IDS, eager=True).cast(pl.String)})
    for count in (1, 3, 4):
        rates = {}
        for function in ("XXH64", "SHA-256"):
            columns = digests(pl.col("unit"), function, count)
            seconds = timeit.repeat(partial(frame.select, columns), number=1, repeat=ROUNDS)
            rates[function] = IDS / statistics.median(seconds)
        ratio = rates["XXH64"] / rates["SHA-256"]
        listed = ", ".join(f"{function} {rate / 1e6:.1f} M ids/s" for function, rate in rates.items())
        print(f"{count} hashes per id: {listed}, ratio {ratio:.1f}")


def by_partition(
    scores: np.ndarray[tuple[int], np.dtype[np.float32]],
    popularity: np.ndarray[tuple[int], np.dtype[np.float32]],
) -> object:
    """Choose the same offers by partitioning."""
    threshold = np.partition(scores, len(scores) - RANKED)[len(scores) - RANKED]
    leaders = np.flatnonzero(scores >= threshold)
    return leaders[np.lexsort((leaders, -popularity[leaders], -scores[leaders]))[:RANKED]]


def rank_times() -> None:
    """Print the time of choosing few offers; nine of ten scores are 0, as those of a member usually are."""
    random = np.random.default_rng(1)
    for offers in (250, 1000, 10_000):
        scores = random.random(offers, dtype=np.float32)
        scores[random.random(offers) < 0.9] = 0
        popularity = random.random(offers, dtype=np.float32)
        ours = min(timeit.repeat(partial(best, scores, popularity, RANKED), number=300, repeat=5))
        theirs = min(timeit.repeat(partial(by_partition, scores, popularity), number=300, repeat=5))
        print(
            f"{RANKED} of {offers:6,} offers: {ours / 300 * 1e6:6.1f} µs, {ours / theirs:.2f} of partitioning"
        )


def ranker_times() -> None:
    """Print the time of scoring 200 of 1,000 offers for one member, in parts and as a whole, and of giving reasons."""
    model = ranking_model(200, 1000, 1)
    ranker = model.scorer
    assert isinstance(ranker, Ranker)
    candidates = np.sort(np.random.default_rng(2).choice(1000, CANDIDATES, replace=False))
    profile = model.profile(7)
    first = [component.scores(profile, 7) for component in ranker.components]
    known = ranker.member_attributes(7)
    features = partial(candidate_features, profile, candidates, ranker.covers, ranker.table, known, first)
    rows = features()
    whole = _microseconds(partial(model.scores, profile, 7, candidates))
    parts = {
        "trees alone": _microseconds(partial(ranker.trees.predict, rows)),
        "features": _microseconds(features),
        "components": _microseconds(
            lambda: [component.scores(profile, 7) for component in ranker.components]
        ),
        "whole": whole,
        "reasons of 3": _microseconds(partial(explain, model, profile, profile, 7, candidates[:3])),
        "reasons of 100": _microseconds(partial(explain, model, profile, profile, 7, candidates[:100])),
    }
    for name, time in parts.items():
        print(f"{CANDIDATES} candidates, {name:14}: {time:7.0f} µs, {time / whole:.2f} of the whole")
    basket = [model.product_ids[index] for index in range(10)]
    for trips in (1, 20, 200):
        later = [(float(age), basket) for age in range(trips)]
        print(
            f"{trips:3} later trips of 10 products: {_microseconds(partial(model.profile_after, 7, 30.0, later)):7.0f} µs"
        )


def effect_times() -> None:
    """Print the time of three arms' effects on one member, from their attributes, by lines and by trees; and beside the libraries' own."""
    random = np.random.default_rng(2)
    members = 4_000
    features = pl.DataFrame({f"x{place}": random.normal(size=members) for place in range(12)}).with_columns(
        city=pl.Series(random.choice(["Bonn", "Ulm", "Hof", "Kiel"], size=members))
    )
    arm = random.integers(0, 4, members)
    outcome = random.normal(size=members) + (arm > 0) * features["x0"].to_numpy()
    arms = ("none", "a", "b", "c")
    trial = Trial(
        pl.int_range(members, eager=True), arms, arm, np.full(members, 0.25), {"spend": outcome}, features
    )
    member = features.row(0, named=True)
    for learner in ("dr_ridge", "t_lightgbm"):
        fitted = learn_effects(trial, "spend", learner=learner, others=()).fitted
        model = compile_effects(fitted, arms, "spend")
        row = encode(fitted.encoding, features[:1])
        ours = _microseconds(partial(model.effects, member))
        theirs = _microseconds(partial(fitted.model.effects, row))
        print(
            f"effects of 3 arms on one member, {learner:10}: {ours:5.0f} µs, {ours / theirs:.2f} of the fitted models on numbers"
        )


def _microseconds(call: Callable[[], object]) -> float:
    return min(timeit.repeat(call, number=20, repeat=7)) / 20 * 1e6


if __name__ == "__main__":
    hash_rates()
    rank_times()
    ranker_times()
    effect_times()
