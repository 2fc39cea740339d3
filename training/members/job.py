"""The job for members: transactions in, one table of members out, which a later job can continue; tracked in MLflow."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl

from experiments.aggregates.tables import TableSource
from training.data.tables import as_days, as_ids, open_frame, refuse, require, write_table
from training.errors import DatasetError
from training.members.descriptions import promoter_score
from training.members.forecast import YEAR, forecast, validate
from training.members.history import Duration, TimeUnit
from training.members.lifecycle import lifecycle_stages, movements, repurchase, retention
from training.members.orders import (
    ORDER_SCHEMA,
    Orders,
    TransactionColumns,
    add_orders,
    day_before,
    read_orders,
)
from training.members.plots import member_plots
from training.members.points import read_points
from training.members.result import TrainMembersResult, metrics_of
from training.members.rules import MemberRules
from training.members.table import Beside, member_table
from training.threads import one_thread_of_algebra


def state_path(table: Path) -> Path:
    """Return where the orders behind a member table are kept: ``members.orders.parquet`` beside ``members.parquet``."""
    return table.with_name(f"{table.stem}.orders.parquet")


def write_state(table: Path, orders: Orders) -> None:
    """Keep the orders behind a member table.

    Raises:
        DatasetError: They cannot be written.
    """
    path = state_path(table)
    try:
        orders.lines.write_parquet(
            path,
            metadata={"troth.as_of": orders.as_of.isoformat(), "troth.has": ",".join(sorted(orders.has))},
        )
    except OSError as error:
        raise DatasetError(f"{path} cannot be written: {error.strerror or error}.", table=str(path)) from None


def read_state(table: Path) -> Orders:
    """Return the orders behind a member table.

    Raises:
        DatasetError: They are not there, or are none that ``write_state`` wrote.
    """
    path = state_path(table)
    try:
        kept = pl.read_parquet_metadata(path)
        lines = pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError):
        raise DatasetError(
            f"{path} cannot be read; it was written beside {table.name} and is needed to continue it. Without --previous the table is"
            " made anew from all transactions.",
            table=str(path),
        ) from None
    if "troth.as_of" not in kept or dict(lines.schema) != ORDER_SCHEMA:
        raise DatasetError(f"{path} holds no orders of a member table.", table=str(path))
    return Orders(
        lines,
        date.fromisoformat(kept["troth.as_of"]),
        {},
        frozenset(part for part in kept["troth.has"].split(",") if part),
    )


Progress = Callable[[str, int, int], None]
_STEPS = 5


@dataclass(frozen=True, slots=True)
class MembersOptions:
    """How the job runs.

    Attributes:
        out: Where the table goes, Parquet, or CSV by its ending.
        horizon: Of expected orders and of churn.
        value_horizon: Of customer lifetime value.
        as_of: The last day that is observed; that of the last transaction if not given.
        rules: Conventions.
        previous: The table that this one continues; the transactions are then those since.
        points: Table of points; none.
        surveys: Table of survey answers: ``member``, ``time``, ``score`` from 0 to 10; none.
        members: Table of attributes to carry over, with the same member column; none.
        store: Folder of the MLflow store.
        programme: Loyalty programme.
    """

    out: Path
    horizon: Duration = field(default_factory=lambda: Duration(90.0, TimeUnit.DAY))
    value_horizon: Duration = YEAR
    as_of: date | None = None
    rules: MemberRules = field(default_factory=MemberRules)
    previous: Path | None = None
    points: TableSource | None = None
    surveys: TableSource | None = None
    members: TableSource | None = None
    store: Path = Path("mlflow")
    programme: str = "default"


def train_members(
    path: TableSource, columns: TransactionColumns, options: MembersOptions, progress: Progress | None = None
) -> TrainMembersResult:
    """Make the table of members, try its forecasts on a window they did not see, and record the run.

    Args:
        path: Table of transactions.
        columns: Which column says what.
        options: How the job runs.
        progress: Told about the progress.

    Returns:
        The table and what is known of its forecasts.

    Raises:
        TrainingError: A table or rule cannot be used, or something cannot be written.
    """
    say = progress or (lambda _text, _done, _total: None)
    say("reading transactions", 0, _STEPS)
    orders = read_orders(path, columns, options.as_of)
    if options.previous is not None:
        orders = add_orders(read_state(options.previous), orders)
    beside = _beside(columns, options)
    with one_thread_of_algebra():
        say("trying forecasts on a window", 1, _STEPS)
        validation, untried = validate(orders, options.horizon, options.rules)
        say("fitting the models", 2, _STEPS)
        found = forecast(orders.orders, orders.as_of, options.horizon, options.rules, options.value_horizon)
    say("describing members", 3, _STEPS)
    table = member_table(orders, found, options.rules, beside)
    say("recording the run", 4, _STEPS)
    write_table(table, options.out)
    write_state(options.out, orders)
    dropped = tuple(f"{count:,} rows were left out: {reason}." for reason, count in orders.dropped.items())
    warnings = (*dropped, *found.warnings, *((untried,) if untried else ()))
    before = orders.until(day_before(orders.as_of, options.horizon.days))
    moved = movements(
        lifecycle_stages(before.orders, before.as_of, options.rules.lifecycle),
        table.select(pl.col("member_id").alias("member"), "lifecycle_stage"),
    )
    cohorts = retention(orders.orders, orders.as_of)
    from training.tracking.runs import job_run

    name = f"members {orders.as_of} {datetime.now(UTC):%Y-%m-%d %H:%M}"
    with job_run(options.store, options.programme, "members", name) as run:
        result = TrainMembersResult(
            table=table,
            path=str(options.out),
            orders=orders,
            horizon=options.horizon,
            found=found,
            validation=validation,
            movements=moved,
            repurchase=repurchase(orders.orders, orders.as_of),
            promoters=None
            if "nps_group" not in table.columns or not table["nps_group"].count()
            else promoter_score(table.filter(pl.col("nps_group").is_not_null())),
            warnings=warnings,
            run_id=run.run_id,
            experiment_name=run.experiment_name,
            tracking_uri=run.tracking_uri,
        )
        run.log_data(path.name, orders.fingerprint, str(path))
        document = json.dumps(result.to_json(), indent=2, ensure_ascii=False).encode()
        plots = member_plots(table, cohorts, validation)
        files = {"members.json": document, "cohorts.csv": cohorts.write_csv().encode()}
        run.log_files(files | {f"plots/{plot}": image for plot, image in plots.items()})
        run.log(
            parameters={
                "horizon_days": options.horizon.days,
                "value_horizon_days": options.value_horizon.days,
                "as_of": orders.as_of,
                "rules": options.rules.model_dump_json()[:500],
                "members": table.height,
            },
            metrics=metrics_of(found, validation),
            note=result.summary().replace("\n", "\n\n"),
        )
    return result


def _beside(columns: TransactionColumns, options: MembersOptions) -> Beside:
    points = None if options.points is None else read_points(options.points, options.rules.points_valid_days)
    return Beside(
        points,
        None if options.surveys is None else _answers(options.surveys),
        None if options.members is None else _attributes(options.members, columns.member),
    )


def _answers(path: TableSource) -> pl.DataFrame:
    frame = open_frame(path)
    for name in ("member", "time", "score"):
        require(frame, path, name, "survey")
    rows = frame.select("member", "time", "score").collect()
    if not rows["score"].dtype.is_numeric():
        raise DatasetError(
            f"Column 'score' of {path} is of type {rows['score'].dtype}; it must be a number from 0 to 10."
        )
    scores = rows["score"].cast(pl.Float64)
    refuse(~scores.is_between(0, 10), path, "score", "a score that is not from 0 to 10")
    refuse(rows["time"].is_null(), path, "time", "no time")
    return pl.DataFrame(
        {
            "member": as_ids(rows["member"], path, "member"),
            "time": as_days(rows["time"], f"Column 'time' of {path}"),
            "score": scores,
        }
    )


def _attributes(path: TableSource, column: str) -> pl.DataFrame:
    frame = open_frame(path)
    require(frame, path, column, "member")
    rows = frame.collect()
    members = as_ids(rows[column], path, column)
    refuse(members.is_duplicated(), path, column, "a member that other rows have too")
    return rows.drop(column).with_columns(members.alias("member"))
