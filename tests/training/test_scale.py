"""What keeps large tables fast: shortcuts give what the long way gives, and samples are what they say."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from scipy import sparse
from scipy.linalg import lapack
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # ships no types

from bench.scale_data import Shape, write_interactions
from experiments.stats.estimate import estimate_of
from tests.training.histories import checkerboard, history
from training.bundle.history import DISCOUNTED, VALUE
from training.bundle.scorers import Mixture, Personal
from training.data.histories import build_history
from training.data.tables import Tables
from training.errors import DatasetError
from training.evaluation import Fold, evaluate, evaluation, ranking
from training.offers.job_data import JobData, from_tables
from training.offers.tuning import StudyRecord, Tried, TuningBudget, run_study
from training.recommenders import DecayedFrequency, TifuKnn
from training.recommenders.associations import nearest, nearest_among, pruned, pruned_sparse, without_diagonal
from training.recommenders.ease import invert_in_place
from training.recommenders.factorisation import passes

KS = (5, 10)


@pytest.fixture(scope="module")
def job_data(tmp_path_factory: pytest.TempPathFactory) -> JobData:
    """A job on a small table of the benchmark's kind."""
    path = tmp_path_factory.mktemp("scale") / "table.parquet"
    write_interactions(Shape(20_000, 400, 150, 3), path)
    source = from_tables(
        Tables(path, "member_id", "offer_id", time_column="time", value_column="value"), None, seed=1
    )
    return JobData(source.purchases, source.split, KS, "ndcg@5", 1)


def purchase_rows(seed: int) -> pl.DataFrame:
    """Return 300 rows with ages in whole days; a day is a trip."""
    rng = np.random.default_rng(seed)
    days = rng.integers(0, 40, 300)
    return pl.DataFrame(
        {
            "member": rng.integers(0, 9, 300).astype(np.int32),
            "product": rng.integers(0, 7, 300).astype(np.int32),
            "time": days.astype(np.float64),
            "trip": days.astype(np.int64),
            "value": rng.uniform(0, 5, 300).astype(np.float32),
            "discounted": rng.random(300) < 0.3,
        }
    )


def test_sorted_histories_are_those_of_the_definition() -> None:
    """Every column of pairs and members equals what plain loops count; sums are right too."""
    rows = purchase_rows(1)
    found = build_history(rows, 40.0, member_count=10, product_count=8)
    plain = [
        (member, product, 40.0 - time)
        for member, product, time in rows.select("member", "product", "time").rows()
    ]
    wanted = history(plain, members=10, products=8)
    assert found.indptr.tolist() == wanted.indptr.tolist()
    assert found.indices.tolist() == wanted.indices.tolist()
    counted = [column for column in range(wanted.columns.shape[1]) if column not in {VALUE, DISCOUNTED}]
    np.testing.assert_allclose(found.columns[:, counted], wanted.columns[:, counted], rtol=1e-6)
    np.testing.assert_allclose(found.members[:, counted], wanted.members[:, counted], rtol=1e-6)
    values = rows.group_by("member").agg(pl.col("value").sum()).sort("member")["value"].to_numpy()
    np.testing.assert_allclose(found.members[:9, VALUE], values, rtol=1e-6)
    discounted = rows.filter("discounted").n_unique(["member", "product", "trip"])
    assert found.columns[:, DISCOUNTED].sum() == discounted


def test_the_order_of_rows_and_far_trip_numbers_change_no_bit() -> None:
    """Shuffled rows with the same trips under numbers that are far apart give the same history, bit for bit."""
    rows = purchase_rows(2).with_columns(value=pl.lit(0.5, pl.Float32))
    other = rows.sample(fraction=1.0, shuffle=True, seed=1).with_columns(pl.col("trip") * 2**55)
    first, second = (build_history(one, 40.0, member_count=9, product_count=7) for one in (rows, other))
    assert np.array_equal(first.columns, second.columns)
    assert np.array_equal(first.members, second.members)


def test_more_keys_than_there_are_numbers_are_refused() -> None:
    """A job whose keys would overflow ends with a sentence instead of a wrong count."""
    with pytest.raises(DatasetError, match="too many for one job"):
        build_history(purchase_rows(1), 40.0, member_count=2**31, product_count=2**31)


def test_neighbours_among_all_are_the_nearest() -> None:
    """Where everybody is a candidate, the bounded search finds what the search over all pairs does."""
    rows = sparse.random(60, 25, 0.3, format="csr", random_state=np.random.default_rng(1), dtype=np.float64)
    wanted = without_diagonal(nearest(sparse.csr_matrix(rows.T), 60, threads=1))
    found = nearest_among(rows, np.arange(60), 59, threads=2)
    assert found.diagonal().sum() == 0
    np.testing.assert_allclose(found.toarray(), wanted.toarray(), atol=1e-12)


def test_neighbours_among_some_are_the_nearest_of_those() -> None:
    """Each row gets its best among the chosen rows, never itself, in the original positions; so in a wide table too."""
    rows = sparse.random(40, 300, 0.1, format="csr", random_state=np.random.default_rng(2), dtype=np.float64)
    chosen = np.array([1, 4, 9, 16, 25, 36])
    found = nearest_among(rows, chosen, 2, threads=2).toarray()
    products = (rows @ rows.T).toarray()
    np.fill_diagonal(products, 0)
    products[:, np.setdiff1d(np.arange(40), chosen)] = 0
    cut = np.sort(products, axis=1)[:, -2:-1]
    np.testing.assert_allclose(found, np.where(products >= cut, products, 0), atol=1e-12)


def test_tifu_knn_among_few_candidates_is_reproducible() -> None:
    """The sample is the seed's: the same for any number of threads, another one for another seed, and still useful."""
    data = checkerboard()
    settings = TifuKnn(neighbours=5, candidates=20)

    def personal(seed: int, threads: int) -> Personal:
        scorer = settings.fit(data, seed=seed, threads=threads)
        assert isinstance(scorer, Mixture)
        part = scorer.parts[1]
        assert isinstance(part, Personal)
        return part

    one, two, other = personal(1, 1), personal(1, 2), personal(2, 1)
    assert np.array_equal(one.data, two.data)
    assert np.array_equal(one.indices, two.indices)
    assert not np.array_equal(one.data, other.data)
    # Member 0 left product 0 out, which others of its kind bought.
    scores = one.scores(data.history.profile(0), 0)
    assert scores[0] > scores[12:].max() == 0


def test_pruned_rows_are_those_of_the_dense_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sparse rows are pruned to the same largest entries, with ascending columns."""
    monkeypatch.setattr("training.recommenders.associations.KEPT", 5)
    rows = sparse.random(30, 40, 0.4, format="csr", random_state=np.random.default_rng(3), dtype=np.float64)
    found, wanted = pruned_sparse(rows.copy()), pruned(rows.toarray())
    assert np.array_equal(found.toarray(), wanted.toarray())
    assert found.has_sorted_indices


def test_passes_are_bounded_by_steps() -> None:
    """Small data gets the passes it asks for, large data as many as fit, and one at least."""
    assert passes(30, 1_000, 100_000) == 30
    assert passes(30, 10_000, 100_000) == 10
    assert passes(30, 1_000_000, 100_000) == 1


def test_large_folds_are_ranked_on_a_sample(job_data: JobData, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fold with more cases than allowed is ranked on as many as the sample holds; others are ranked whole."""
    fold = job_data.validation[0]
    model = job_data.model(fold.data, DecayedFrequency().fit(fold.data, seed=1))
    monkeypatch.setattr(evaluation, "SAMPLED_CASES", 50)
    whole = evaluate([model], [fold], KS, most_cases=len(fold.members))
    sample = evaluate([model], [fold], KS, most_cases=len(fold.members) - 1)
    assert len(whole.members) == len(fold.members)
    assert len(sample.members) == 50
    note = evaluation.sample_note([fold], len(fold.members) - 1)
    assert note.endswith(f"{fold.name}: a random 50 of {len(fold.members)} members.")
    assert evaluation.sample_note([fold], len(fold.members)) == ""
    assert sample.metrics["ndcg@5"].standard_error > whole.metrics["ndcg@5"].standard_error


@pytest.mark.parametrize("shared", [0, 1_000])
def test_diversity_is_that_of_the_buyers(
    job_data: JobData, monkeypatch: pytest.MonkeyPatch, shared: int
) -> None:
    """Shared or not, cosines are those between the columns of who bought what."""
    monkeypatch.setattr(ranking, "MAX_SHARED", shared)
    fold: Fold = job_data.validation[0]
    model = job_data.model(fold.data, DecayedFrequency().fit(fold.data, seed=1))
    lists = ranking.rank_fold(model, fold, k=10)
    found = ranking.catalogue_metrics(lists, fold, KS, probabilities=False)
    bought = fold.data.matrix("binary").toarray().astype(np.float64)
    lengths = np.maximum(np.sqrt(bought.sum(axis=0)), 1)
    cosines = bought.T @ bought / np.outer(lengths, lengths)
    for k in KS:
        inside = [cosines[np.ix_(row, row)] for row in lists.offers[:, :k]]
        wanted = np.mean([1 - (one.sum() - np.trace(one)) / (k * (k - 1)) for one in inside])
        assert found[f"diversity@{k}"] == pytest.approx(wanted)


def test_no_trial_begins_that_would_not_end_in_time(tmp_path: Path) -> None:
    """A trial is not begun where it and the fit that serves would end after the budget; earlier sessions teach how long."""
    tried: list[StudyRecord] = []

    def session(seconds: float) -> None:
        run_study(
            DecayedFrequency.suggest,
            [DecayedFrequency()],
            lambda _: Tried({"ndcg@5": estimate_of(0.5, 0.1)}, 100.0, 20.0, {}),
            metric="ndcg@5",
            store=tmp_path,
            name="study",
            seed=1,
            budget=TuningBudget(1, seconds),
            done=tried.append,
        )

    session(0.0)
    assert len(tried) == 1
    session(239.0)
    assert len(tried) == 1
    session(241.0)
    assert len(tried) > 1


def test_the_table_has_the_shape_that_was_asked_for(tmp_path: Path) -> None:
    """All rows, no stranger among members and offers, a skewed popularity, and the same table for the same seed."""
    shape = Shape(5_000, 60, 40, 1)
    write_interactions(shape, tmp_path / "a.parquet")
    write_interactions(shape, tmp_path / "b.parquet")
    table = pl.read_parquet(tmp_path / "a.parquet")
    assert table.equals(pl.read_parquet(tmp_path / "b.parquet"))
    assert len(table) == 5_000
    assert table["member_id"].n_unique() <= 60
    assert table["offer_id"].n_unique() <= 40
    counts = table["offer_id"].value_counts(sort=True)["count"]
    assert counts[0] > 5 * counts[-1]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_inverse_is_scipys_bit_for_bit(dtype: type[np.floating]) -> None:
    """The lower triangle equals what SciPy's wrappers of the same routines give; an indefinite matrix is refused."""
    values = np.random.default_rng(5).random((300, 40))
    gram = np.asfortranarray(values @ values.T + np.eye(300), dtype=dtype)
    factorise, invert = (
        (lapack.spotrf, lapack.spotri) if dtype is np.float32 else (lapack.dpotrf, lapack.dpotri)
    )
    with threadpool_limits(1, "blas"):
        wanted, _ = invert(factorise(gram, lower=True, clean=False)[0], lower=True)
        found = gram.copy(order="F")
        assert invert_in_place(found)
    assert np.array_equal(np.tril(found), np.tril(wanted))
    assert not invert_in_place(np.asfortranarray(-np.eye(3, dtype=dtype)))
