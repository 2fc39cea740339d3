"""Fitting the trees, and turning their scores into probabilities."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from training.bundle.features import FALLING, RELATIVE_FEATURES, RISING
from training.bundle.ranker import Calibration
from training.bundle.trees import MAX_LEAVES, Trees, compile_trees
from training.errors import TrainingError
from training.offers.second_stage_rows import RankingRows
from training.recommenders.base import Parameter, SettingsTrial

RELATIVE = frozenset(RELATIVE_FEATURES)
_CHECKPOINTS = (25, 50, 75, 100, 125, 150, 200)


@dataclass(frozen=True)
class TreeSettings:
    """Settings of the trees.

    Attributes:
        objective: ``lambdarank`` (Burges, *From RankNet to LambdaRank to LambdaMART*, 2010), ``rank_xendcg`` (Bruch,
            *An Alternative Cross Entropy Loss for Learning-to-Rank*, 2021) or ``binary``.
        leaves: Most leaves of a tree, up to 32.
        learning_rate: Shrinkage.
        rounds: Number of trees.
        min_rows: Fewest rows in a leaf.
        column_share: Share of the features that each tree may look at.
        row_share: Share of the rows that each tree sees.
        l2: Ridge on leaf values.
        truncation: Ranks that the lambdas look at.
        normalise: Whether lambdas are normalised per case.
        ensembles: How many fits with seeds of their own are averaged; more than one where cases are few.
        monotone: Whether the score may only rise with what speaks for an offer (``RISING``), and only fall with what
            speaks against it; keeps trees from learning noise where cases are few.
        cold: Whether to learn also from the cases that are seen as if the member were unknown, or nearly so. Where cases
            are few, these teach popularity at the cost of what the others have to say.
        relative: Whether trees look at shares among the candidates (``RELATIVE_FEATURES``). Few cases learn much from
            them; many cases learn the same from the rest.
    """

    objective: str = "lambdarank"
    leaves: int = 31
    learning_rate: float = 0.06
    rounds: int = 150
    min_rows: int = 200
    column_share: float = 0.5
    row_share: float = 0.7
    l2: float = 5.0
    truncation: int = 20
    normalise: bool = True
    ensembles: int = 1
    monotone: bool = False
    cold: bool = True
    relative: bool = False

    @classmethod
    def suggest(cls, trial: SettingsTrial) -> Self:
        """Return settings that a study proposes."""
        return cls(
            objective=trial.suggest_categorical("objective", ["lambdarank", "rank_xendcg", "binary"]),
            leaves=trial.suggest_int("leaves", 4, MAX_LEAVES, log=True),
            learning_rate=trial.suggest_float("learning_rate", 0.02, 0.15, log=True),
            rounds=_CHECKPOINTS[-1],
            min_rows=trial.suggest_int("min_rows", 20, 1000, log=True),
            column_share=trial.suggest_float("column_share", 0.2, 0.9),
            row_share=trial.suggest_float("row_share", 0.4, 0.9),
            l2=trial.suggest_float("l2", 0.1, 50.0, log=True),
            truncation=trial.suggest_int("truncation", 10, 60),
            normalise=trial.suggest_categorical("normalise", [True, False]),
            monotone=trial.suggest_categorical("monotone", [True, False]),
            cold=trial.suggest_categorical("cold", [True, False]),
            relative=trial.suggest_categorical("relative", [True, False]),
        )

    @property
    def parameters(self) -> dict[str, Parameter]:
        """Return the settings by name."""
        settings: Any = self
        return asdict(settings)


@dataclass(frozen=True, eq=False)
class FittedTrees:
    """Trees with what is known of their fit.

    Attributes:
        trees: Compiled.
        boosters: As LightGBM keeps them, one for each ensemble.
        gains: Share of the gain by feature.
        cold: Whether they learned what members without a history do.
    """

    trees: Trees
    boosters: tuple[Any, ...]
    gains: dict[str, float]
    cold: bool = True

    def learning_curve(self, rows: RankingRows, k: int) -> list[tuple[int, float]]:
        """Return NDCG on rows the trees were not fitted on, by number of trees."""
        total = max(booster.num_trees() for booster in self.boosters)
        numbers = [number for number in _CHECKPOINTS if number < total] + [total]
        return [(number, rows.ndcg(self.predict(rows, number), k)) for number in numbers]

    def predict(self, rows: RankingRows, rounds: int) -> npt.NDArray[np.float64]:
        """Return float64[rows], the mean over the ensembles with so many trees each."""
        scores = [
            booster.predict(rows.features, num_iteration=rounds, raw_score=True) for booster in self.boosters
        ]
        mean: npt.NDArray[np.float64] = np.mean(scores, axis=0)
        return mean


def fit_trees(
    rows: RankingRows, settings: TreeSettings, names: Sequence[str], *, seed: int, threads: int
) -> FittedTrees:
    """Fit and compile trees; the same rows, settings and seed give the same trees.

    Args:
        rows: One row per shortlisted offer of a case.
        settings: The settings.
        names: The fields to set.
        seed: Of everything random.
        threads: Threads to use.

    Returns:
        The fitted trees.

    Raises:
        TrainingError: There is nothing to learn from.
    """
    import lightgbm

    if not settings.cold:
        rows = _seen_whole(rows)
    if not len(rows.sizes):
        raise TrainingError(
            "No case has a relevant offer on its shortlist, so the second stage cannot learn."
        )
    parameters: dict[str, Any] = {
        "objective": settings.objective,
        "num_leaves": settings.leaves,
        "learning_rate": settings.learning_rate,
        "min_data_in_leaf": min(settings.min_rows, max(len(rows.relevant) // 50, 1)),
        "feature_fraction": settings.column_share,
        "bagging_fraction": settings.row_share,
        "bagging_freq": 1,
        "lambda_l2": settings.l2,
        "max_bin": 127,
        "use_missing": False,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": threads,
        "verbose": -1,
    }
    if settings.objective == "lambdarank":
        parameters |= {
            "lambdarank_truncation_level": settings.truncation,
            "lambdarank_norm": settings.normalise,
            # With its default, long shortlists of one case would be refused.
            "label_gain": [0, 1],
        }
    if settings.monotone:
        parameters["monotone_constraints"] = [direction(name) for name in names]
    if not settings.relative and not RELATIVE.isdisjoint(names):
        # A gain of 0 is never worth a split.
        parameters["feature_contri"] = [0.0 if name in RELATIVE else 1.0 for name in names]
    table = lightgbm.Dataset(
        rows.features,
        rows.relevant.astype(np.int8),
        group=None if settings.objective == "binary" else rows.sizes,
        feature_name=list(names),
        params={"max_bin": 127, "use_missing": False, "verbose": -1},
        free_raw_data=False,
    )
    boosters = tuple(
        lightgbm.train(parameters | {"seed": (seed + number) % (2**31)}, table, settings.rounds)
        for number in range(settings.ensembles)
    )
    gain = np.sum([booster.feature_importance("gain") for booster in boosters], axis=0)
    shares = gain / max(float(gain.sum()), 1e-12)
    order = np.argsort(-shares, kind="stable")
    roots = [tree["tree_structure"] for booster in boosters for tree in booster.dump_model()["tree_info"]]
    return FittedTrees(
        trees=compile_trees(roots, scale=1.0 / settings.ensembles),
        boosters=boosters,
        gains={names[index]: float(shares[index]) for index in order if shares[index] > 0},
        cold=settings.cold,
    )


def direction(name: str) -> int:
    """Return which way the score may go as a feature rises: 1 up, -1 down, 0 both."""
    return int(name in RISING) - int(name in FALLING)


def _seen_whole(rows: RankingRows) -> RankingRows:
    """Return the cases that are seen with the whole history."""
    inside = np.repeat(rows.warm, rows.sizes)
    return RankingRows(
        rows.features[inside],
        rows.relevant[inside],
        rows.sizes[rows.warm],
        rows.truth_counts[rows.warm],
        rows.activity[rows.warm],
        rows.warm[rows.warm],
        rows.label_times[inside],
    )


def calibrate(scores: npt.NDArray[np.float64], rows: RankingRows) -> Calibration:
    """Fit probabilities to tree scores of rows that the trees were not fitted on (Platt, 1999, with the member's activity)."""
    from sklearn.linear_model import LogisticRegression

    if not len(scores) or rows.relevant.all() or not rows.relevant.any():
        return Calibration(np.array([0.0, 1.0, 0.0, 0.0, 0.0]))
    design = np.column_stack([scores, np.repeat(rows.activity, rows.sizes, axis=0)])
    # Scaled, or the solver would stop early on columns of different size.
    scale = np.maximum(design.std(axis=0), 1e-9)
    fitted = LogisticRegression(C=1e6, max_iter=500).fit(design / scale, rows.relevant)
    weights = fitted.coef_[0] / scale
    weights[0] = max(weights[0], 1e-6)
    return Calibration(np.concatenate([fitted.intercept_, weights]).astype(np.float64))
