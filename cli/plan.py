"""`troth plan`: whom to send what within a budget, what it is worth, and why not something simpler."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import (
    ChallengersOption,
    ControlOption,
    FeaturesOption,
    FoldsOption,
    JsonOption,
    LearnerOption,
    MarginColumnOption,
    OutcomeColumnOption,
    ProgrammeOption,
    PropensityColumnOption,
    SeedOption,
    SharesOption,
    TreatmentColumnOption,
    TrialMemberColumnOption,
    TrialOption,
    read_names,
    read_pairs,
    read_shares,
)
from cli.output import progress_bar, publish, table, write_text

if TYPE_CHECKING:
    from training.send_plan import PlanResult


def plan(
    data: TrialOption,
    treatment_column: TreatmentColumnOption,
    control: ControlOption,
    outcome_column: OutcomeColumnOption,
    margin_column: MarginColumnOption = "",
    features: FeaturesOption = "",
    propensity_column: PropensityColumnOption = "",
    member_column: TrialMemberColumnOption = "",
    response_column: Annotated[
        str,
        typer.Option(
            help="Column that is 1 where a member responded; whether the outcome is above 0 if empty."
        ),
    ] = "",
    share: SharesOption = None,
    cost: Annotated[
        list[str] | None,
        typer.Option(help="ARM=PER_SEND[,PER_RESPONSE] in the outcome's money; 0 if not given; repeat it."),
    ] = None,
    budget: Annotated[
        float | None, typer.Option(min=0, help="Money for all sends, in expectation; no limit if not given.")
    ] = None,
    sends: Annotated[int | None, typer.Option(min=0, help="Most members who get something.")] = None,
    min_roi: Annotated[float | None, typer.Option(min=0, help="Least net gain per 1 spent.")] = None,
    cap: Annotated[
        list[str] | None, typer.Option(help="ARM=N: most members who get this arm; repeat it.")
    ] = None,
    rule: Annotated[
        list[str] | None,
        typer.Option(
            help="EXPRESSION=ARM: your own rule, to be beaten; the first that matches counts, no match gets nothing; repeat it."
        ),
    ] = None,
    smallest_gain: Annotated[
        float | None,
        typer.Option(
            help="The smallest gain worth having, money a member; a tenth of the control's standard deviation if not given."
        ),
    ] = None,
    random_share: Annotated[
        float, typer.Option(min=0, max=0.99, help="Share of the list that is left to chance, to learn from.")
    ] = 0.05,
    members: Annotated[
        Path | None,
        typer.Option(
            help="Table of other members to write to, with the same features; the trial's own if not given."
        ),
    ] = None,
    learner: LearnerOption = "dr_ridge",
    challengers: ChallengersOption = True,
    folds: FoldsOption = 5,
    seed: SeedOption = 0,
    out: Annotated[Path | None, typer.Option(help="Write the list here; Parquet, or CSV by ending.")] = None,
    page: Annotated[Path | None, typer.Option(help="Write a page to read here.")] = None,
    store: Annotated[
        Path | None,
        typer.Option(help="Folder of an MLflow store, to record the plan in; made if there is none."),
    ] = None,
    programme: ProgrammeOption = "default",
    json: JsonOption = "",
) -> None:
    """Plan whom to send what from a trial: the list, its cost, its value against simpler plans, and a verdict."""
    from training.data.tables import write_table
    from training.send_plan import ArmCost, PlanOptions, plan_sends
    from training.send_plan.own_rule import RuleLine
    from training.uplift.reading import TrialColumns

    columns = TrialColumns(
        treatment=treatment_column,
        control=control,
        outcome=outcome_column,
        margin=margin_column,
        response=response_column,
        member=member_column,
        propensity=propensity_column,
        features=tuple(read_names(features) or ()),
    )
    costs = read_pairs(cost, "--cost", "ARM=PER_SEND[,PER_RESPONSE]", "mail=0.5,2", _cost)
    lines = read_pairs(rule, "--rule", "EXPRESSION=ARM", "'visits > 3=mail'", _arm)
    options = PlanOptions(
        costs={arm: ArmCost(*amounts) for arm, amounts in costs},
        budget=math.inf if budget is None else budget,
        sends=sends,
        min_roi=min_roi,
        caps=dict(read_pairs(cap, "--cap", "ARM=N", "mail=5000", _count)),
        rules=[RuleLine(expression, arm) for expression, arm in lines],
        smallest_gain=smallest_gain,
        random_share=random_share,
        members=members,
        shares=read_shares(share),
        learner=learner,
        challengers=challengers,
        folds=folds,
        seed=seed,
    )
    with progress_bar() as report:
        result = plan_sends(data, columns, options, report)
        written = result.page(f"Send plan for {data.stem}") if page is not None or store is not None else ""
    if out is not None:
        write_table(result.table, out)
    if page is not None:
        write_text(page, written)
    document = dict(result.document)
    if store is not None:
        from training.send_plan.recording import record_plan

        document["run_id"] = record_plan(store, programme, data, result, written)
    publish(json, lambda: document, lambda: _text(result))


def _cost(text: str) -> tuple[float, float]:
    per_send, _, per_response = text.partition(",")
    return float(per_send), float(per_response or 0)


def _count(text: str) -> int:
    if not text.strip().isdigit():
        raise ValueError(text)
    return int(text)


def _arm(text: str) -> str:
    if not text.strip():
        raise ValueError(text)
    return text.strip()


def _text(result: "PlanResult") -> str:
    document = result.document
    lines = [f"{document['title']}. {document['sentence']}"]
    lines += [f"! {warning}" for warning in document["warnings"]]
    valued = [one for one in document["value"].values() if not one["refused"]]
    if valued:
        rows = [
            (one["alternative"], *(f"{one[part]:+.4g}" for part in ("estimate", "ci_lower", "ci_upper")))
            for one in valued
        ]
        lines.append("\nWhat choosing for each member earns, per member:")
        lines.append(table(("against", "more", "from", "to"), rows))
    sends = [(arm, f"{count:,}") for arm, count in document["list"]["sends"].items()]
    lines += ["\nThe list:", table(("gets", "members"), sends)]
    lines.append(
        f"Expected cost {document['list']['cost']:,.2f}; expected net gain {document['list']['expected_net_gain']:,.2f}."
    )
    return "\n".join(lines)
