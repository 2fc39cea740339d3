"""Cases for which scikit-uplift 0.5.1 and causalml 0.18.0 said what their Qinis are.

``python -m tests.experiments.uplift.oracles`` writes the frozen figures again, in an environment with both libraries, polars
and pytest.
"""

import importlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from experiments.uplift.trial import Bools, Floats
from tests.experiments.uplift.hillstrom import formula, womens_visit

FROZEN = Path(__file__).with_name("oracle_figures.json")
NAMES = (
    "hillstrom formula",
    "hillstrom ties",
    "quarter treated",
    "money",
    "few scores",
    "treated first",
    "control first",
    "harmful",
)


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """Scores of members of two arms, and their outcomes."""

    ranking: Floats
    treated: Bools
    outcome: Floats

    @property
    def binary(self) -> bool:
        return bool(np.isin(self.outcome, (0.0, 1.0)).all())


def case(name: str) -> Case:
    """Return a case by name; every array is a fixed function of a seed."""
    if name.startswith("hillstrom"):
        trial, treated, outcome = womens_visit()
        ties = np.random.default_rng(5).integers(0, 10, len(trial)).astype(np.float64)
        return Case(formula(trial) if name == "hillstrom formula" else ties, treated, outcome)
    random = np.random.default_rng(NAMES.index(name))
    n = 400 if name == "few scores" else 2_000
    treated = random.random(n) < (0.25 if name == "quarter treated" else 0.5)
    ranking = random.normal(size=n)
    chance = 0.2 + 0.1 * treated * (ranking > 0) - (0.15 * treated if name == "harmful" else 0)
    outcome = (random.random(n) < chance).astype(np.float64)
    if name == "money":
        outcome *= random.gamma(2.0, 20.0, n)
    if name == "few scores":
        ranking = np.round(ranking)
    if name in {"treated first", "control first"}:
        first = treated if name == "treated first" else ~treated
        ranking[np.flatnonzero(first)[:25]] += 10
    return Case(ranking, treated, outcome)


def sklift_figures(one: Case) -> dict[str, float]:
    """Return scikit-uplift's figures."""
    sklift = importlib.import_module("sklift.metrics")
    given = (one.outcome.astype(int), one.ranking, one.treated.astype(int))
    figures = {
        "sklift_qini": float(sklift.qini_auc_score(*given)),
        "sklift_uplift": float(sklift.uplift_auc_score(*given)),
    }
    if one.outcome[one.treated].mean() > one.outcome[~one.treated].mean():
        figures["sklift_qini_without_negative"] = float(sklift.qini_auc_score(*given, negative_effect=False))
    return figures


def without_ties(one: Case) -> Case:
    """Return the case with equal scores told apart by the order of the rows, so that no sort can disagree."""
    order = np.argsort(-one.ranking, kind="stable")
    rank = np.empty(len(order))
    rank[order] = -np.arange(len(order), dtype=np.float64)
    return Case(rank, one.treated, one.outcome)


def causalml_figures(one: Case) -> dict[str, float]:
    """Return causalml's figures; with ties they depend on its sort, and that on the processor."""
    causalml, pd = importlib.import_module("causalml.metrics"), importlib.import_module("pandas")
    table = pd.DataFrame({"y": one.outcome, "w": one.treated.astype(int), "model": one.ranking})
    return {
        "causalml_qini": float(causalml.qini_score(table, normalize=True)["model"]),
        "causalml_qini_counts": float(causalml.qini_score(table, normalize=False)["model"]),
        "causalml_auuc": float(causalml.auuc_score(table, normalize=True)["model"]),
        "causalml_auuc_counts": float(causalml.auuc_score(table, normalize=False)["model"]),
    }


def frozen() -> dict[str, dict[str, float]]:
    """Return what the libraries said when the figures were written."""
    figures: dict[str, Any] = json.loads(FROZEN.read_text("utf-8"))
    return figures


if __name__ == "__main__":
    written = {}
    for each in NAMES:
        here = case(each)
        written[each] = causalml_figures(without_ties(here)) | (sklift_figures(here) if here.binary else {})
    FROZEN.write_text(json.dumps(written, indent=2) + "\n", "utf-8")
