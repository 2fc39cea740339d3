"""Training jobs, send plans and policy values in Python, on tables in files or in memory."""

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path

from experiments.errors import OptionError
from training.data.tables import Tables
from training.members.history import parse_duration
from training.members.job import MembersOptions
from training.members.job import train_members as run_members_job
from training.members.orders import TransactionColumns
from training.members.result import TrainMembersResult
from training.members.rules import read_rules
from training.offers.job import train_offers as run_offers_job
from training.offers.job_data import chosen_source
from training.offers.options import DEFAULT_KS, DEFAULT_SEED, JobOptions, read_days, read_seconds
from training.offers.result import TrainOffersResult
from training.policy_value.evaluation import EvaluatedLog, LogColumns, evaluate_log, read_log_table
from training.send_plan import ArmCost, PlanOptions, PlanResult, plan_sends
from training.send_plan.own_rule import RuleLine
from training.uplift.job import ActionsOptions
from training.uplift.job import train_actions as run_actions_job
from training.uplift.learners import DEFAULT_LEARNER
from training.uplift.reading import TrialColumns
from training.uplift.result import TrainActionsResult
from troth.tables import Table, maybe, source_of

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how much of it is done, and how much there is."""

_TRIAL = "the trial"


def plan(
    data: Table,
    *,
    treatment_column: str,
    control: str,
    outcome_column: str,
    margin_column: str = "",
    features: Sequence[str] = (),
    propensity_column: str = "",
    member_column: str = "",
    response_column: str = "",
    share: Mapping[str, float] | None = None,
    cost: Mapping[str, float | tuple[float, float]] | None = None,
    budget: float | None = None,
    sends: int | None = None,
    min_roi: float | None = None,
    cap: Mapping[str, int] | None = None,
    rule: Sequence[tuple[str, str]] = (),
    smallest_gain: float | None = None,
    random_share: float = 0.05,
    members: Table | None = None,
    learner: str = DEFAULT_LEARNER,
    challengers: bool = True,
    folds: int = 5,
    seed: int = 0,
    progress: Progress | None = None,
) -> PlanResult:
    """Plan whom to send what from a trial: the list, its cost, its value against simpler plans, and a verdict.

    Args:
        data: Table of the trial, one row per member.
        treatment_column: Column with the arm that each member got.
        control: The arm that the others are compared with.
        outcome_column: Column with what came of it: a number, or 0 and 1.
        margin_column: Column with the money earned, before the arms' cost; decides in the outcome's place.
        features: Columns known before the arm was drawn; every fitting column if empty.
        propensity_column: Column with the probability of the arm that each member got; the arms' shares if empty.
        member_column: Column with member ids; members are numbered by row if empty.
        response_column: Column that is 1 where a member responded; whether the outcome is above 0 if empty.
        share: Planned share of members by arm, to check the arms' sizes.
        cost: Money per send by arm, or per send and per response; 0 if not given.
        budget: Money for all sends, in expectation; no limit if not given.
        sends: Most members who get something.
        min_roi: Least net gain per 1 spent.
        cap: Most members who get an arm, by arm.
        rule: Your own rule to be beaten, as pairs of expression and arm; the first that matches counts.
        smallest_gain: The smallest gain worth having, money per member; a tenth of the control's standard deviation if not given.
        random_share: Share of the list that is left to chance, to learn from, in [0, 0.99].
        members: Table of other members to write to, with the same features; the trial's own if not given.
        learner: ``dr_ridge``, ``r_ridge``, ``x_ridge``, ``t_linear`` or ``s_linear``.
        challengers: Let boosted trees replace the learner where their policy earns more.
        folds: Folds of the cross-fitting, from 2 to 20.
        seed: Of everything random.
        progress: Told about the progress.

    Returns:
        The plan: ``verdict``, ``to_polars()`` (the list), ``to_html()``, ``to_json()``.

    Raises:
        TrothError: A table or an option cannot be used.
    """
    columns = TrialColumns(
        treatment=treatment_column,
        control=control,
        outcome=outcome_column,
        margin=margin_column,
        response=response_column,
        member=member_column,
        propensity=propensity_column,
        features=tuple(features),
    )
    options = PlanOptions(
        costs={
            arm: ArmCost(*one) if isinstance(one, tuple) else ArmCost(one)
            for arm, one in (cost or {}).items()
        },
        budget=math.inf if budget is None else budget,
        sends=sends,
        min_roi=min_roi,
        caps=dict(cap or {}),
        rules=[RuleLine(expression, arm) for expression, arm in rule],
        smallest_gain=smallest_gain,
        random_share=random_share,
        members=maybe(members, "the table of members"),
        shares=share,
        learner=learner,
        challengers=challengers,
        folds=folds,
        seed=seed,
    )
    return plan_sends(source_of(data, _TRIAL), columns, options, progress)


def train_offers(
    interactions: Table | None = None,
    *,
    dataset: str = "",
    members: Table | None = None,
    offers: Table | None = None,
    covers: Table | None = None,
    member_column: str = "member_id",
    offer_column: str = "offer_id",
    time_column: str = "",
    value_column: str = "",
    test: Table | None = None,
    task: str = "",
    models: Sequence[str] | None = None,
    k: Sequence[int] = DEFAULT_KS,
    seed: int = DEFAULT_SEED,
    horizon: str = "28d",
    time_budget: str | float = 0.0,
    store: str | Path = "mlflow",
    programme: str = "default",
    promote: bool = True,
    recommendations: str | Path | None = None,
    progress: Progress | None = None,
) -> TrainOffersResult:
    """Train offer models, compare them on the whole catalogue, register them; the best serves if it beats counting.

    Args:
        interactions: One row per purchase or other interaction.
        dataset: In place of it: a data set that comes with a package; there is ``complete-journey``.
        members: Attributes of members, one row each.
        offers: Attributes of offers, one row each.
        covers: Which offer covers which product: two columns, offer and product.
        member_column: Column with member ids.
        offer_column: Column with offer ids; with ``covers``, of the products bought.
        time_column: Column with times; without it the split is not by time.
        value_column: Column with values, at least 0.
        test: Interactions of a given test split; without it the split is by time.
        task: ``replenish``, ``win_back``, ``discover`` or ``redeem``; told from the interactions if empty.
        models: Names of models; all if not given.
        k: Lengths of lists; the first decides.
        seed: Of everything random.
        horizon: Length of a window where the split is by time, such as ``28d``.
        time_budget: How long to try settings, in seconds or such as ``10m``; a fixed number of trials if 0.
        store: Folder of the MLflow store; made if there is none.
        programme: Loyalty programme that the models are for.
        promote: Let the best become champion if it passes the promotion gate.
        recommendations: Write every member's best offers by the best model to this Parquet file.
        progress: Told about the progress.

    Returns:
        The models with their figures, which is best, and whether it serves.

    Raises:
        OptionError: There is not exactly one of interactions and dataset, or a task or time cannot be read.
        TrainingError: A model is not known, the data cannot be used, or the store cannot be written.
    """
    tables = (
        None
        if interactions is None
        else Tables(
            interactions=source_of(interactions, "the interactions"),
            member_column=member_column,
            offer_column=offer_column,
            members=maybe(members, "the table of members"),
            offers=maybe(offers, "the table of offers"),
            covers=maybe(covers, "the table of what offers cover"),
            time_column=time_column,
            value_column=value_column,
            test=maybe(test, "the test split"),
        )
    )
    days = read_days(horizon, "--horizon")
    source = chosen_source(dataset, tables, task, seed=seed, horizon=days)
    options = JobOptions(
        store=Path(store),
        programme=programme,
        models=models,
        ks=tuple(k),
        seed=seed,
        time_budget=read_seconds(time_budget, "--time-budget", "s")
        if isinstance(time_budget, str)
        else time_budget,
        promote=promote,
        recommendations=None if recommendations is None else Path(recommendations),
    )
    return run_offers_job(source, options, progress=progress)


def train_members(
    transactions: Table,
    *,
    member_column: str,
    time_column: str,
    value_column: str,
    out: str | Path,
    horizon: str = "90d",
    value_horizon: str = "365d",
    as_of: date | None = None,
    config: str | Path | None = None,
    category_column: str = "",
    channel_column: str = "",
    discount_column: str = "",
    points: Table | None = None,
    surveys: Table | None = None,
    attributes: Table | None = None,
    previous: str | Path | None = None,
    store: str | Path = "mlflow",
    programme: str = "default",
    progress: Progress | None = None,
) -> TrainMembersResult:
    """Make one table of members: RFM, lifecycle, expected orders, churn, lifetime value, tier, points, preferences.

    Args:
        transactions: One row per transaction; with ``previous``, those since.
        member_column: Column with member ids.
        time_column: Column with times: dates, timestamps, or numbers such as 20170131.
        value_column: Column with money; below 0 for a return.
        out: Where the member table goes: Parquet, or CSV by its ending.
        horizon: Of expected orders and of churn, such as ``90d`` or ``13w``.
        value_horizon: Of customer lifetime value.
        as_of: Last day that is observed; that of the last transaction if not given.
        config: YAML file with conventions: lifecycle, tiers, points, margin.
        category_column: Column with what kind of thing was bought.
        channel_column: Column with where it was bought.
        discount_column: Column with the money taken off, at least 0.
        points: Columns ``member``, ``time``, ``points`` (below 0 where spent), maybe ``expires``.
        surveys: Columns ``member``, ``time``, ``score`` from 0 to 10.
        attributes: Table of members with columns to carry over; the same member column.
        previous: A table that an earlier job wrote: continue it with the new transactions.
        store: Folder of the MLflow store; made if there is none.
        programme: Loyalty programme.
        progress: Told about the progress.

    Returns:
        The table and what is known of its forecasts.

    Raises:
        TrainingError: A table or convention cannot be used, or something cannot be written.
    """
    columns = TransactionColumns(
        member_column, time_column, value_column, category_column, channel_column, discount_column
    )
    options = MembersOptions(
        out=Path(out),
        horizon=parse_duration(horizon, "horizon"),
        value_horizon=parse_duration(value_horizon, "value_horizon"),
        as_of=as_of,
        rules=read_rules(None if config is None else Path(config)),
        previous=None if previous is None else Path(previous),
        points=maybe(points, "the table of points"),
        surveys=maybe(surveys, "the table of survey answers"),
        members=maybe(attributes, "the table of attributes"),
        store=Path(store),
        programme=programme,
    )
    return run_members_job(source_of(transactions, "the transactions"), columns, options, progress)


def train_actions(
    data: Table,
    *,
    treatment_column: str,
    control: str,
    outcome_column: str,
    margin_column: str = "",
    features: Sequence[str] = (),
    propensity_column: str = "",
    member_column: str = "",
    share: Mapping[str, float] | None = None,
    learner: str = DEFAULT_LEARNER,
    challengers: bool = True,
    folds: int = 5,
    seed: int = 0,
    scores: str | Path | None = None,
    store: str | Path = "mlflow",
    programme: str = "default",
    progress: Progress | None = None,
) -> TrainActionsResult:
    """Learn what each arm of a trial changes for each member, calibrated, and register the model.

    Args:
        data: Table of the trial, one row per member.
        treatment_column: Column with the arm that each member got.
        control: The arm that the others are compared with.
        outcome_column: Column with what came of it: a number, or 0 and 1.
        margin_column: Column with the money earned, before the arms' cost; decides in the outcome's place.
        features: Columns known before the arm was drawn; every fitting column if empty.
        propensity_column: Column with the probability of the arm that each member got; the arms' shares if empty.
        member_column: Column with member ids; members are numbered by row if empty.
        share: Planned share of members by arm, to check the arms' sizes.
        learner: ``dr_ridge``, ``r_ridge``, ``x_ridge``, ``t_linear`` or ``s_linear``.
        challengers: Let boosted trees replace the learner where their policy earns more.
        folds: Folds of the cross-fitting, from 2 to 20.
        seed: Of everything random.
        scores: Write out-of-fold effects here, one column per arm; Parquet, or CSV by ending.
        store: Folder of the MLflow store; made if there is none.
        programme: Loyalty programme that the model is for.
        progress: Told about the progress.

    Returns:
        Effects by arm, how good they are, and the registered version.

    Raises:
        TrainingError: The table cannot be used, or something cannot be written.
    """
    columns = TrialColumns(
        treatment=treatment_column,
        control=control,
        outcome=outcome_column,
        margin=margin_column,
        member=member_column,
        propensity=propensity_column,
        features=tuple(features),
    )
    options = ActionsOptions(
        store=Path(store),
        programme=programme,
        learner=learner,
        challengers=challengers,
        folds=folds,
        seed=seed,
        scores=None if scores is None else Path(scores),
        shares=None if share is None else dict(share),
    )
    return run_actions_job(source_of(data, _TRIAL), columns, options, progress)


def evaluate_policy(
    log: Table | None = None,
    *,
    config: str | Path | None = None,
    programme: str = "",
    placement: str = "",
    revision: str = "",
    reward_column: str = "",
    policy: str = "",
    policy_column: str = "",
    action_column: str = "candidate_id",
    propensity_column: str = "propensity",
    position_column: str = "",
    features: Sequence[str] = (),
    seed: int = 0,
) -> EvaluatedLog:
    """Tell what a policy would have earned in the place of the one that was logged, or refuse where the log says too little.

    Args:
        log: One row per choice, of a slate one per position; the log of ``config`` if not given.
        config: The server's configuration, whose log is evaluated, or keeps ``revision``.
        programme: The programme; not needed where the configuration has one only.
        placement: Of the server's log, the decisions of this placement.
        revision: Keep the value with this catalogue revision, for `troth policy compare`.
        reward_column: Column with what came of the choice; of the server's log ``responded`` if empty, or ``value``.
        policy: ``uniform``, ``logging``, ``always:ACTION`` or ``table:FILE`` (columns action, probability, maybe position).
        policy_column: In place of ``policy``: column with the probability with which the policy would have chosen the same.
        action_column: Column with what was chosen.
        propensity_column: Column with the probability of that, in (0, 1].
        position_column: Column with the position in a slate, from 1.
        features: Columns for a model of rewards.
        seed: Of the folds of that model.

    Returns:
        The verdict, and the value with its interval beside that of the logging policy.

    Raises:
        OptionError: There is not exactly one log or one policy, or an option is missing.
        TrainingError: A column is missing or wrong.
    """
    columns = LogColumns.of_options(
        action=action_column,
        propensity=propensity_column,
        reward=reward_column,
        position=position_column,
        policy=policy_column,
        features=features,
        own_log=log is None,
    )
    if log is not None:
        source = source_of(log, "the log")
        rows = read_log_table(source, columns)
    elif config is not None:
        from server.attributed_log import logged_choices

        source = Path(config)
        rows = logged_choices(source, programme, placement)
    else:
        raise OptionError("Give a log, or the server's configuration.", "--log")
    if revision and config is None:
        raise OptionError("Give the server's configuration: its log keeps the value.", "--revision")
    found = evaluate_log(rows, source, columns, policy, seed=seed)
    if revision and config is not None:
        from server.promises import keep_promise

        keep_promise(
            found.found,
            Path(config),
            programme=programme,
            revision=revision,
            fingerprint=found.fingerprint,
        )
    return found
