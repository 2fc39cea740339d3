"""The training job for actions: a trial in, effects of its arms out, tracked in MLflow and ready to serve."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl

from experiments.aggregates.tables import TableSource
from experiments.pages.uplift_page import uplift_charts, uplift_page
from experiments.uplift.evaluation import evaluate_uplift
from experiments.uplift.result import Unit, UpliftEvaluation, evaluation_document
from experiments.uplift.trial import Floats, Trial
from training.bundle import ActionModel
from training.bundle.trees import Trees, compile_trees
from training.data.tables import fingerprint, write_table
from training.errors import DatasetError
from training.plots import as_png
from training.threads import one_thread_of_algebra
from training.uplift.learners import CHALLENGERS, DEFAULT_LEARNER, LINEAR_LEARNERS
from training.uplift.learning import FOLDS, FittedEffects, LearnedEffects, learn_effects
from training.uplift.models import Boosted, Line
from training.uplift.reading import ReadTrial, TrialColumns, read_trial
from training.uplift.result import TrainActionsResult
from training.uplift.trust import check_trial


def compile_effects(fitted: FittedEffects, arms: tuple[str, ...], outcome: str) -> ActionModel:
    """Compile fitted effects into arrays.

    Args:
        fitted: Effects for anybody.
        arms: All arms, the control first.
        outcome: What the effects are on.

    Returns:
        The model as a server holds it.
    """
    lines = [(place, model) for place, model in enumerate(fitted.model.models) if isinstance(model, Line)]
    boosted = [
        (place, model) for place, model in enumerate(fitted.model.models) if isinstance(model, Boosted)
    ]
    order = [place for place, _ in (*lines, *boosted)]
    logistic = [model.logistic for _, model in lines] + [model.binary for _, model in boosted]
    width = fitted.encoding.width
    return ActionModel(
        control=arms[0],
        arms=arms[1:],
        outcome=outcome,
        encoding=fitted.encoding,
        lines=np.array([model.coefficients for _, model in lines], dtype=np.float64).reshape(
            len(lines), width
        ),
        intercepts=np.array([model.intercept for _, model in lines], dtype=np.float64),
        trees=tuple(_trees(model) for _, model in boosted),
        logistic=np.array(logistic, dtype=np.bool_),
        weights=np.ascontiguousarray(fitted.model.weights[:, order]),
        averages=np.array([one.average.value for one in fitted.calibrations]),
        shrinkages=np.array([one.shrinkage for one in fitted.calibrations]),
        means=np.array([one.predicted_mean for one in fitted.calibrations]),
    )


def _trees(model: Boosted) -> Trees:
    return compile_trees([tree["tree_structure"] for tree in model.booster.dump_model()["tree_info"]])


Progress = Callable[[str, int, int], None]
_STEPS = 4
_KEPT_FOR_ORDER = 0.05


@dataclass(frozen=True, slots=True)
class ActionsOptions:
    """How the job runs.

    Attributes:
        store: Folder of the MLflow store.
        programme: Loyalty programme.
        learner: The default learner, one of ``LINEAR_LEARNERS``.
        challengers: Whether boosted trees may replace it.
        folds: Of the cross-fitting.
        seed: Of everything random.
        scores: Where to write out-of-fold effects; nowhere if not given.
        shares: Planned share of members by arm, for the sample-ratio check.
    """

    store: Path = Path("mlflow")
    programme: str = "default"
    learner: str = DEFAULT_LEARNER
    challengers: bool = True
    folds: int = FOLDS
    seed: int = 0
    scores: Path | None = None
    shares: dict[str, float] | None = None


def train_actions(
    path: TableSource, columns: TrialColumns, options: ActionsOptions, progress: Progress | None = None
) -> TrainActionsResult:
    """Learn what each arm of a trial changes for each member, evaluate that, record it and register the model.

    Args:
        path: Table of the trial.
        columns: Which column says what.
        options: How the job runs.
        progress: Told about the progress.

    Returns:
        The effects and how good they are.

    Raises:
        TrainingError: The table cannot be used, or something cannot be written.
    """
    say = progress or (lambda _text, _done, _total: None)
    say("reading the trial", 0, _STEPS)
    read = read_trial(path, columns)
    if columns.member in read.trial.arms[1:] and options.scores is not None:
        raise DatasetError(
            f"The member column {columns.member!r} is named like an arm, whose effects would need the same column: rename one."
        )
    trust = check_trial(read.trial, options.shares)
    say("learning effects", 1, _STEPS)
    with one_thread_of_algebra():
        learned = _learn(read, options)
        say("evaluating them", 2, _STEPS)
        evaluation = _evaluate(read.trial, learned)
    if options.scores is not None:
        write_scores(options.scores, read, learned[read.money])
    say("recording the run", 3, _STEPS)
    result = TrainActionsResult(
        read=read, trust=trust, learned=learned, evaluation=evaluation, seed=options.seed, folds=options.folds
    )
    return _record(path, result, options)


def _learn(read: ReadTrial, options: ActionsOptions) -> dict[str, LearnedEffects]:
    """Return the effects on money by all learners, and on the outcome, where that is another one, by the default alone."""
    challengers = tuple(CHALLENGERS) if options.challengers else ()
    others = {read.outcome: (), read.money: (*LINEAR_LEARNERS, *challengers)}
    return {
        name: learn_effects(
            read.trial,
            name,
            learner=options.learner,
            others=others[name],
            folds=options.folds,
            seed=options.seed,
        )
        for name in dict.fromkeys((read.money, read.outcome))
    }


def _evaluate(trial: Trial, learned: dict[str, LearnedEffects]) -> dict[str, UpliftEvaluation]:
    found = {}
    for name, one in learned.items():
        predictions = {learner: result.effects for learner, result in one.learners.items()}
        found[name] = evaluate_uplift(
            trial,
            name,
            one.scores,
            {one.chosen.name: predictions.pop(one.chosen.name), **predictions},
            unit=Unit(name),
            baselines={"response": one.predicted.mean(axis=1)},
            untreated=one.predicted[:, 0],
        )
    return found


def write_scores(path: Path, read: ReadTrial, learned: LearnedEffects) -> None:
    """Write out-of-fold effects on what decides: one column per arm but the control, a row per member in the order of the table.

    They are calibrated. Where effects are not shown to differ a twentieth of the predicted differences is kept all the same, so
    that their order can be judged. The member's id comes first, if there is one.

    Args:
        path: Where to: Parquet, or CSV by its ending.
        read: The trial.
        learned: The effects.

    Raises:
        DatasetError: The file cannot be written.
    """
    columns: dict[str, pl.Series | Floats] = {}
    if read.columns.member:
        columns[read.columns.member] = read.trial.members
    for place, (arm, calibration) in enumerate(
        zip(read.trial.arms[1:], learned.chosen.calibrations, strict=True)
    ):
        share = max(calibration.shrinkage, _KEPT_FOR_ORDER)
        away = learned.effects[:, place] - calibration.predicted_mean
        columns[arm] = calibration.average.value + share * away
    write_table(pl.DataFrame(columns), path)


def _record(path: TableSource, result: TrainActionsResult, options: ActionsOptions) -> TrainActionsResult:
    from training.tracking.runs import job_run
    from training.uplift.recording import register_actions

    read, trial, money = result.read, result.read.trial, result.money
    model = compile_effects(money.fitted, trial.arms, read.money)
    data = fingerprint([_table(read)])
    name = f"{read.money} {datetime.now(UTC):%Y-%m-%d %H:%M}"
    with job_run(options.store, options.programme, "actions", name) as run:
        run.log_data(path.name, data, str(path))
        result = register_actions(run, model, options.programme, result.of_run(run), data)
        document = json.dumps(result.to_json(), indent=2, ensure_ascii=False).encode()
        files = {"result.json": document}
        for outcome, one in result.evaluation.items():
            slug = _slug(outcome)
            page = uplift_page(one, f"Effects on {outcome}", f"{path.name}, {len(trial):,} members")
            files[f"effects_{slug}.html"] = page.encode()
            files[f"evaluation_{slug}.json"] = json.dumps(
                evaluation_document(one), indent=2, ensure_ascii=False
            ).encode()
            for title, chart in uplift_charts(one).items():
                files[f"plots/{_slug(f'{outcome} {title}')}.png"] = as_png(chart)
        run.log_files(files)
        run.log(
            parameters={
                "treatment": read.columns.treatment,
                "control": read.columns.control,
                "outcome": read.outcome,
                "money": read.money,
                "learner": money.chosen.name,
                "folds": options.folds,
                "seed": options.seed,
                "features": ", ".join(trial.features.columns)[:500],
            },
            metrics=result.metrics(),
            note=result.note(),
        )
    return result


def _slug(name: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in name)


def _table(read: ReadTrial) -> pl.DataFrame:
    trial = read.trial
    return trial.features.with_columns(
        pl.Series("\x00arm", trial.arm),
        pl.Series("\x00propensity", trial.propensity),
        *(pl.Series(f"\x00outcome {name}", values) for name, values in trial.outcomes.items()),
    )
