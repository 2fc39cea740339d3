"""Mixtures: scorers that know more get more weight, whatever their scale, and no weight is judged on what it was learned from."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from bench.scale_data import Shape, write_interactions
from tests.training.histories import checkerboard, fit_data, score_all
from tests.training.small_jobs import offer_model, scorer_of, small_fold
from training.bundle import Task
from training.bundle.scorers import AnyScorer, Array, Mixture, Personal, Popular
from training.data.tables import Tables
from training.evaluation import evaluate
from training.evaluation.evaluation import join_halves
from training.offers.job_data import JobData, from_tables
from training.offers.mixture import (
    MixtureStage,
    PooledCases,
    join_cases,
    mix,
    pool_cases,
    select_weights,
    spreads,
)
from training.recommenders import Ease, ItemItem, Popularity


def cases_of(scores: Array, truths: Array) -> PooledCases:
    """Return cases with all offers in their pools."""
    hits = truths > 0
    return PooledCases(
        scores.astype(np.float64),
        hits,
        np.zeros(hits.shape, bool),
        hits.sum(axis=1),
        np.arange(len(hits), dtype=np.int32),
    )


def noisy(truths: Array, noise: float, seed: int) -> Array:
    """Return scores that know the truths, more or less."""
    random = np.random.default_rng(seed)
    return (truths + noise * random.standard_normal(truths.shape)).astype(np.float32)


def choices(members: int = 400, offers: int = 30) -> Array:
    """Return what members chose, at least one offer each."""
    chosen = np.random.default_rng(3).random((members, offers)) < 0.1
    chosen[:, 0] |= ~chosen.any(axis=1)
    return chosen.astype(np.float32)


def personal(scores: Array) -> Personal:
    """Return a scorer that stores its scores."""
    rows = sparse.csr_matrix(scores.astype(np.float32))
    return Personal(rows.indptr.astype(np.int64), rows.indices.astype(np.int32), rows.data, scores.shape[1])


def test_a_scorer_that_knows_nothing_gets_little_weight() -> None:
    """Beside a good scorer, noise loses its weight; the weights add up to 1 and the same seed gives the same ones."""
    truths = choices()
    cases = cases_of(np.stack([noisy(truths, 0.5, 1), noisy(0 * truths, 1.0, 2)]), truths)
    good, bad = select_weights(cases, k=10, seed=0)
    assert good > 4 * bad
    assert good + bad == pytest.approx(1)
    assert select_weights(cases, k=10, seed=0).tolist() == [good, bad]


def test_two_halves_of_the_knowledge_are_both_wanted() -> None:
    """Two scorers whose errors are their own rank better together than either does alone, on cases not learned from."""
    truths = choices(800)
    scores = np.stack([noisy(truths, 0.7, seed) for seed in range(2)])
    learned = select_weights(cases_of(scores[:, :400], truths[:400]), k=10, seed=0)
    fresh = cases_of(scores[:, 400:], truths[400:])
    alone = max(fresh.ndcg(one, 10).mean() for one in np.eye(2))
    assert fresh.ndcg(learned, 10).mean() > alone + 0.03
    assert learned.min() > 0.25


def test_who_knows_more_gets_more() -> None:
    """Beside a scorer of half its noise the other one helps, with well under half of the weight."""
    truths = choices(800)
    scores = np.stack([noisy(truths, 0.45, 1), noisy(truths, 0.9, 2)])
    better, worse = select_weights(cases_of(scores, truths), k=10, seed=0)
    assert better > 2 * worse > 0.1


def test_without_cases_weights_are_equal() -> None:
    """Nothing to learn from is not an error, and a single scorer takes all."""
    nothing = np.zeros((0, 4), np.float32)
    assert select_weights(cases_of(np.zeros((2, 0, 4), np.float32), nothing), k=10, seed=0).tolist() == [
        0.5,
        0.5,
    ]
    one = cases_of(np.ones((1, 3, 4), np.float32), np.ones((3, 4), np.float32))
    assert select_weights(one, k=10, seed=0).tolist() == [1.0]


def test_spreads_by_hand() -> None:
    """The spread is the standard deviation over the offers the task is about, averaged over members who bought."""
    data = fit_data([(0, 0, 1.0), (1, 0, 1.0)], members=3, products=3)
    scorer = personal(np.array([[9, 1, 3], [9, 2, 2], [9, 0, 8]], np.float32))
    assert spreads([scorer], data, Task.DISCOVER, seed=0) == pytest.approx([0.5])


def test_pooled_ndcg_is_the_ndcg_of_the_whole_catalogue() -> None:
    """What is pooled ranks as the evaluation ranks it, over the open offers alone."""
    fold = small_fold()
    fold = replace(fold, open_offers=np.arange(30) != 4)
    scorer = personal(noisy(fold.truths.toarray().astype(np.float32), 1.0, 5) + 9)
    cases = pool_cases(fold, Task.REPLENISH, [scorer], np.ones(1), k=5, seed=0)

    expected = evaluate([offer_model(fold, scorer)], [fold], [5])
    assert cases.ndcg(np.ones(1), 5) == pytest.approx(expected.cases["ndcg@5"])
    assert cases.members.tolist() == expected.members.tolist()


def test_the_scale_of_a_scorer_does_not_matter() -> None:
    """A scorer whose scores are 1,024 times as large is pooled as the same numbers."""
    fold = small_fold()
    scores = noisy(fold.truths.toarray().astype(np.float32), 1.0, 5) + 9
    pools = []
    for scorer in (personal(scores), personal(1024 * scores)):
        scales = spreads([scorer], fold.data, Task.REPLENISH, seed=0)
        pools.append(pool_cases(fold, Task.REPLENISH, [scorer], scales, k=5, seed=0))
    assert pools[0].scores == pytest.approx(pools[1].scores)


def test_cases_of_several_folds_are_joined() -> None:
    """Narrower pools are padded, and padding is never ranked."""
    wide = cases_of(np.array([[[1, 2, 3]]], np.float32), np.array([[0, 0, 1]], np.float32))
    narrow = cases_of(np.array([[[-2, -1]]], np.float32), np.array([[1, 0]], np.float32))
    joined = join_cases([wide, narrow])
    assert joined.ndcg(np.ones(1), 2) == pytest.approx([1.0, 1 / np.log2(3)])
    assert joined.padding.tolist() == [[False] * 3, [False, False, True]]


def test_a_mixture_adds_up_scores_on_one_scale() -> None:
    """Weights are divided by the spreads of these very scorers; a scorer without weight takes no part."""
    data = checkerboard()
    scorers: list[AnyScorer] = [
        Ease(10.0).fit(data, seed=0),
        ItemItem().fit(data, seed=0),
        Popularity().fit(data, seed=0),
    ]
    scales = spreads(scorers, data, Task.REPLENISH, seed=0)
    mixture = mix(scorers, np.array([0.75, 0.25, 0.0]), scales)
    assert len(mixture.parts) == 2
    expected = sum(
        weight * score_all(scorer, data) / scale
        for weight, scorer, scale in zip((0.75, 0.25), scorers, scales, strict=False)
    )
    assert score_all(mixture, data) == pytest.approx(expected, rel=1e-5)


def test_scorers_that_tell_nothing_apart_still_make_a_mixture() -> None:
    """When every spread is 0, the first scorer stands for all."""
    scorer = Popular(np.zeros(3, np.float32))
    assert mix([scorer], np.ones(1), np.zeros(1)).parts == (scorer,)


def test_halves_are_taken_from_the_evaluation_they_belong_to() -> None:
    """Each member counts as the model ranks their that did not learn from them."""
    fold = small_fold()
    first, second = (
        evaluate([offer_model(fold, scorer_of(name, fold))], [fold], [5, 10]) for name in ("als", "bpr")
    )
    joined = join_halves(first, second, lambda members: members < 20, [fold], [5, 10])
    values, inside = joined.cases["ndcg@5"], joined.members < 20
    assert values[inside].tolist() == first.cases["ndcg@5"][inside].tolist()
    assert values[~inside].tolist() == second.cases["ndcg@5"][~inside].tolist()
    assert second.metrics["ndcg@5"].value < joined.metrics["ndcg@5"].value < first.metrics["ndcg@5"].value


def test_no_member_is_judged_by_weights_that_she_taught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each half of the members is ranked with the weights of the other half; what serves learns from all."""
    write_interactions(Shape(5_000, 150, 40, 3), tmp_path / "t.parquet")
    source = from_tables(
        Tables(tmp_path / "t.parquet", "member_id", "offer_id", time_column="time"), None, seed=1
    )
    job_data = JobData(source.purchases, source.split, (5,), "ndcg@5", 1)
    (fold,) = job_data.validation
    scorers: list[AnyScorer] = [kind().fit(fold.data, seed=1) for kind in (Popularity, ItemItem)]
    taught: list[set[int]] = []

    def select(cases: PooledCases, *, k: int, seed: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        del k, seed
        taught.append(set(cases.members.tolist()))
        return np.array([[0.5, 0.5], [1.0, 0.0], [0.0, 1.0]][len(taught) - 1])

    monkeypatch.setattr("training.offers.mixture.select_weights", select)
    stage = MixtureStage(job_data, {"popularity": [scorers[0]], "item_item": [scorers[1]]})
    found = stage.validate()
    everybody, first, second = taught
    assert first | second == everybody
    assert not first & second
    assert min(len(first), len(second)) > 30
    alone = [job_data.evaluate([job_data.model(fold.data, one)], [fold], 1000) for one in scorers]
    for place, member in enumerate(found.members.tolist()):
        judge = alone[1] if member in first else alone[0]
        assert found.cases["ndcg@5"][place] == judge.cases["ndcg@5"][place]
    assert stage.weights == {"popularity": 0.5, "item_item": 0.5}
    served = stage.model_on(fold.data, {"popularity": scorers[0], "item_item": scorers[1]}).scorer
    assert isinstance(served, Mixture)
    scales = spreads(scorers, fold.data, job_data.split.task, seed=job_data.seed)
    assert served.weights == pytest.approx(0.5 / scales)
