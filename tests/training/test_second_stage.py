"""Fitting the trees of the second stage: what settings promise holds in the trees that serve."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest

from bench.scale_data import Shape, write_interactions
from training.bundle.features import FALLING, RISING
from training.data.tables import Tables
from training.errors import TrainingError
from training.offers.job_data import FEW_CASES, JobData, from_tables
from training.offers.second_stage import SecondStage
from training.offers.second_stage_rows import RankingRows
from training.offers.second_stage_trees import FittedTrees, TreeSettings, direction, fit_trees
from training.offers.tuning import Chosen, TuningBudget
from training.recommenders import DecayedFrequency

NAMES = ("trips", "days_since_last", "offer_products")
CASES, CANDIDATES = 80, 20
MONOTONE = TreeSettings(rounds=30, leaves=8, min_rows=10, column_share=1.0, monotone=True)


def noisy_rows() -> RankingRows:
    """Return cases in which, against all sense, what was bought often and lately is taken less, beyond some noise."""
    random = np.random.default_rng(3)
    features = random.uniform(0, 10, (CASES * CANDIDATES, len(NAMES))).astype(np.float32)
    chance = -features[:, 0] + features[:, 1] + features[:, 2] + random.normal(0, 3, len(features))
    relevant = chance > np.quantile(chance, 0.85)
    relevant[::CANDIDATES] = True
    return RankingRows(
        features,
        relevant,
        np.full(CASES, CANDIDATES),
        relevant.reshape(CASES, CANDIDATES).sum(axis=1),
        np.zeros((CASES, 3)),
        np.ones(CASES, bool),
        np.where(relevant, 0.0, np.inf),
    )


def steps(settings: TreeSettings, column: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Return how the score of the compiled trees changes as one feature rises and the others stay, for 50 rows."""
    trees = fit_trees(noisy_rows(), settings, NAMES, seed=5, threads=1).trees
    base = np.random.default_rng(9).uniform(0, 10, (50, len(NAMES))).astype(np.float32)
    scores = []
    for value in np.linspace(0, 10, 41):
        moved = base.copy()
        moved[:, column] = value
        scores.append(trees.predict(moved))
    return np.diff(np.stack(scores), axis=0)


@pytest.mark.parametrize("objective", ["lambdarank", "rank_xendcg", "binary"])
def test_monotone_trees_never_turn_against_what_speaks_for_an_offer(objective: str) -> None:
    """Though the labels say otherwise, the score never falls with trips and never rises with days since the last one."""
    settings = replace(MONOTONE, objective=objective)
    assert steps(settings, NAMES.index("trips")).min() >= -1e-12
    assert steps(settings, NAMES.index("days_since_last")).max() <= 1e-12
    assert steps(settings, NAMES.index("offer_products")).max() > 0


def test_without_the_constraint_trees_follow_the_labels() -> None:
    """The same rows teach free trees the opposite, so the constraint is what holds."""
    free = replace(MONOTONE, monotone=False)
    assert steps(free, NAMES.index("trips")).sum() < -1e-3
    assert steps(free, NAMES.index("days_since_last")).sum() > 1e-3


def test_directions_go_by_name() -> None:
    """What speaks for an offer rises, what speaks against it falls, and everything else is free."""
    assert {direction(name) for name in RISING} == {1}
    assert {direction(name) for name in FALLING} == {-1}
    assert [direction(name) for name in ("trips", "days_since_last", "offer_products", "score_ease")] == [
        1,
        -1,
        0,
        0,
    ]


@pytest.mark.parametrize("relative", [True, False])
def test_trees_look_at_shares_among_the_candidates_where_they_are_told_to(relative: bool) -> None:
    """Without the setting no tree splits on a share, however much it would tell."""
    names = ("recent_value_of_most", "days_since_last", "offer_products")
    settings = replace(MONOTONE, monotone=False, relative=relative)
    gains = fit_trees(noisy_rows(), settings, names, seed=1, threads=1).gains
    assert ("recent_value_of_most" in gains) == relative
    assert "offer_products" in gains


def test_cold_cases_can_be_left_out() -> None:
    """Without the cases seen cold, the trees are bit for bit those of the others alone."""
    rows = noisy_rows()
    kept, settings = 60, replace(MONOTONE, min_rows=5)
    mixed = replace(rows, warm=np.arange(CASES) < kept)
    inside = slice(kept * CANDIDATES)
    whole = RankingRows(
        rows.features[inside],
        rows.relevant[inside],
        rows.sizes[:kept],
        rows.truth_counts[:kept],
        rows.activity[:kept],
        rows.warm[:kept],
        rows.label_times[inside],
    )
    without = fit_trees(mixed, replace(settings, cold=False), NAMES, seed=1, threads=1)
    alone = fit_trees(whole, settings, NAMES, seed=1, threads=1)
    everything = fit_trees(mixed, settings, NAMES, seed=1, threads=1)
    assert without.trees.predict(rows.features).tobytes() == alone.trees.predict(rows.features).tobytes()
    assert without.trees.predict(rows.features).tobytes() != everything.trees.predict(rows.features).tobytes()
    with pytest.raises(TrainingError, match="cannot learn"):
        fit_trees(
            replace(rows, warm=np.zeros(CASES, bool)), replace(settings, cold=False), NAMES, seed=1, threads=1
        )


def test_compiled_ensembles_are_the_mean() -> None:
    """What serves is the mean of the ensembles, as LightGBM predicts it."""
    rows = noisy_rows()
    fitted = fit_trees(rows, replace(MONOTONE, ensembles=3, rounds=10), NAMES, seed=1, threads=1)
    assert fitted.trees.predict(rows.features) == pytest.approx(fitted.predict(rows, 10), abs=1e-12)


def test_a_study_keeps_what_is_tried_first() -> None:
    """Settings to begin with come back from a study as they were, but for what a study does not choose."""
    for settings in (*FEW_CASES, TreeSettings()):
        proposed = TreeSettings.suggest(optuna.trial.FixedTrial(dict(settings.parameters)))
        assert replace(proposed, rounds=settings.rounds, ensembles=settings.ensembles) == settings


def test_what_serves_learns_from_validation_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings are chosen on trees of the training folds; the trees that serve also know how validation ended."""
    write_interactions(Shape(5_000, 150, 40, 3), tmp_path / "t.parquet")
    source = from_tables(
        Tables(tmp_path / "t.parquet", "member_id", "offer_id", time_column="time"), None, seed=1
    )
    job_data = JobData(source.purchases, source.split, (5,), "ndcg@5", 1, (TreeSettings(rounds=5),))
    counting = DecayedFrequency()
    scorers = tuple(counting.fit(fold.data, seed=1) for fold in job_data.validation)
    models = [job_data.model(job_data.validation[0].data, scorers[0])]
    chosen = Chosen(counting, (), job_data.evaluate(models, job_data.validation, 100), scorers)
    seen: list[int] = []

    def fit(rows: RankingRows, *arguments: Any, **named: Any) -> FittedTrees:
        seen.append(len(rows.sizes))
        return fit_trees(rows, *arguments, **named)

    monkeypatch.setattr("training.offers.second_stage.fit_trees", fit)
    stage = SecondStage(job_data, {counting.name: chosen}, lambda _: None)
    stage.prepare()
    learned = stage.choose(store=tmp_path, study="s", budget=TuningBudget(1), done=lambda _: None)
    before = seen[-1]
    stage.refit(learned.settings, job_data.validation[0].label_end)
    validation = seen[-1] - before
    assert validation == pytest.approx(len(job_data.validation[0].members), rel=0.5)
    assert validation > 50
