"""The record of a send plan: what it was asked, what it says, and the list."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from experiments.aggregates.tables import TableSource
from training.data.tables import fingerprint
from training.tracking.runs import job_run

if TYPE_CHECKING:
    from training.send_plan import PlanResult

PLANS = "plans"


def record_plan(store: Path, programme: str, source: TableSource, result: "PlanResult", page: str) -> str:
    """Record a plan as a run of its own, and return the run's id.

    Args:
        store: Folder of the store; made where it does not exist.
        programme: Loyalty programme.
        source: The trial's table.
        result: The plan.
        page: For people.

    Returns:
        The run's id.

    Raises:
        TrainingError: The store cannot be made, or the programme cannot name an experiment.
    """
    document = result.document
    trial = result.learned.trial
    data = trial.features.with_columns(
        pl.Series("\x00arm", trial.arm),
        *(pl.Series(f"\x00outcome {name}", values) for name, values in trial.outcomes.items()),
    )
    listed = BytesIO()
    result.table.write_parquet(listed)
    with job_run(store, programme, PLANS, f"plan {datetime.now(UTC):%Y-%m-%d %H:%M}") as run:
        run.log_data(source.name, fingerprint([data]), str(source))
        run.log(
            parameters=_parameters(result),
            metrics=_metrics(document),
            note=f"**{document['title']}.** {document['sentence']}",
        )
        run.log_files(
            {
                "plan.json": json.dumps(document, indent=2, ensure_ascii=False).encode(),
                "plan.html": page.encode(),
                "plan.parquet": listed.getvalue(),
            }
        )
        return run.run_id


def _parameters(result: "PlanResult") -> dict[str, object]:
    options = result.options
    costs = {arm: f"{cost.per_send:g},{cost.per_response:g}" for arm, cost in options.costs.items()}
    return {
        "verdict": result.document["verdict"],
        "control": result.learned.trial.arms[0],
        "money": result.read.money,
        "learner": result.learned.chosen.name,
        "budget": options.budget,
        "sends": options.sends,
        "min_roi": options.min_roi,
        "caps": dict(options.caps),
        "costs": costs,
        "rules": "; ".join(f"{line.expression} = {line.arm}" for line in options.rules)[:500],
        "random_share": options.random_share,
        "smallest_gain": options.smallest_gain,
        "folds": options.folds,
        "seed": options.seed,
    }


def _metrics(document: Mapping[str, object]) -> dict[str, float]:
    listed, budget, value = document["list"], document["budget"], document["value"]
    assert isinstance(listed, dict)
    assert isinstance(budget, dict)
    assert isinstance(value, dict)
    found = {"list_cost": listed["cost"], "list_expected_net_gain": listed["expected_net_gain"]}
    if budget:
        found["shadow_price"] = budget["shadow_price"]
    for name, figure in value.items():
        for part in ("estimate", "ci_lower", "ci_upper", "standard_error"):
            found[f"value_{name}_{part}"] = figure[part]
    return {name: float(number) for name, number in found.items() if number is not None}
