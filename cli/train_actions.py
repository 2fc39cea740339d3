"""`troth train actions`: what each arm of a trial changes for each member."""

from pathlib import Path
from typing import Annotated

import typer

from cli.output import names, say, write_json
from cli.progress import progress_bar

Data = Annotated[Path, typer.Option(help="Table of a trial, Parquet or CSV: one row per member.")]
Treatment = Annotated[str, typer.Option(help="Column with the arm that each member got.")]
Control = Annotated[str, typer.Option(help="The arm that the others are compared with.")]
OutcomeColumn = Annotated[str, typer.Option(help="Column with what came of it: a number, or 0 and 1.")]
Margin = Annotated[
    str,
    typer.Option(help="Column with the money earned, before the arms' cost; decides in the outcome's place."),
]
Features = Annotated[
    str,
    typer.Option(
        help="Columns known before the arm was drawn, separated by commas; every fitting column if empty."
    ),
]
Propensity = Annotated[
    str,
    typer.Option(
        help="Column with the probability of the arm that each member got; the arms' shares if empty."
    ),
]
Member = Annotated[str, typer.Option(help="Column with member ids; members are numbered by row if empty.")]
Shares = Annotated[
    list[str] | None,
    typer.Option("--share", help="ARM=SHARE that was planned, to check the arms' sizes; repeat it."),
]


def actions(
    data: Data,
    treatment_column: Treatment,
    control: Control,
    outcome_column: OutcomeColumn,
    margin_column: Margin = "",
    features: Features = "",
    propensity_column: Propensity = "",
    member_column: Member = "",
    share: Shares = None,
    learner: Annotated[
        str, typer.Option(help="Default learner: dr_ridge, r_ridge, x_ridge, t_linear or s_linear.")
    ] = "dr_ridge",
    challengers: Annotated[
        bool, typer.Option(help="Let boosted trees replace the default where their policy earns more.")
    ] = True,
    folds: Annotated[int, typer.Option(min=2, max=20, help="Folds of the cross-fitting.")] = 5,
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything random.")] = 0,
    scores: Annotated[
        Path | None,
        typer.Option(help="Write out-of-fold effects here, one column per arm; Parquet, or CSV by ending."),
    ] = None,
    store: Annotated[Path, typer.Option(help="Folder of the MLflow store; made if there is none.")] = Path(
        "mlflow"
    ),
    programme: Annotated[str, typer.Option(help="Loyalty programme that the model is for.")] = "default",
    json: Annotated[
        str, typer.Option(help="Write one JSON document to this file, or to stdout for '-'.")
    ] = "",
) -> None:
    """Learn what each arm of a trial changes for each member, calibrated, and register the model."""
    from training.actions.summary import summary
    from training.uplift.job import ActionsOptions, train_actions
    from training.uplift.reading import TrialColumns

    columns = TrialColumns(
        treatment=treatment_column,
        control=control,
        outcome=outcome_column,
        margin=margin_column,
        member=member_column,
        propensity=propensity_column,
        features=tuple(names(features) or ()),
    )
    options = ActionsOptions(
        store=store,
        programme=programme,
        learner=learner,
        challengers=challengers,
        folds=folds,
        seed=seed,
        scores=scores,
        shares=read_amounts(share or [], "--share"),
    )
    with progress_bar() as report:
        result = train_actions(data, columns, options, report)
    if json:
        write_json(result.to_json(), json)
    if json != "-":
        say(summary(result))


def read_amounts(written: list[str], option: str) -> dict[str, float] | None:
    """Return the numbers of texts such as ``mail=0.5``; none without any.

    Raises:
        BadParameter: A text is none.
    """
    found = {}
    for text in written:
        arm, equals, amount = text.rpartition("=")
        try:
            found[arm] = float(amount)
        except ValueError:
            equals = ""
        if not (equals and arm and found[arm] >= 0):
            raise typer.BadParameter(f"{text!r} is no ARM=NUMBER such as mail=0.5.", param_hint=option)
    return found or None
