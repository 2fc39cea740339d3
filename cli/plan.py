"""`troth plan`: whom to send what within a budget, what it is worth, and why not something simpler."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.output import names, progress_bar, say, table, write_json, write_text
from cli.train import (
    Control,
    Data,
    Features,
    Margin,
    Member,
    OutcomeColumn,
    Propensity,
    Shares,
    Treatment,
    read_amounts,
)

if TYPE_CHECKING:
    from training.send_plan import ArmCost, PlanResult
    from training.send_plan.own_rule import RuleLine


def plan(
    data: Data,
    treatment_column: Treatment,
    control: Control,
    outcome_column: OutcomeColumn,
    margin_column: Margin = "",
    features: Features = "",
    propensity_column: Propensity = "",
    member_column: Member = "",
    response_column: Annotated[
        str,
        typer.Option(
            help="Column that is 1 where a member responded; whether the outcome is above 0 if empty."
        ),
    ] = "",
    share: Shares = None,
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
    learner: Annotated[
        str, typer.Option(help="Default learner: dr_ridge, r_ridge, x_ridge, t_linear or s_linear.")
    ] = "dr_ridge",
    challengers: Annotated[
        bool, typer.Option(help="Let boosted trees replace the default where their policy earns more.")
    ] = True,
    folds: Annotated[int, typer.Option(min=2, max=20, help="Folds of the cross-fitting.")] = 5,
    seed: Annotated[int, typer.Option(min=0, help="Seed of everything random.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Write the list here; Parquet, or CSV by ending.")] = None,
    page: Annotated[Path | None, typer.Option(help="Write a page to read here.")] = None,
    store: Annotated[
        Path | None,
        typer.Option(help="Folder of an MLflow store, to record the plan in; made if there is none."),
    ] = None,
    programme: Annotated[str, typer.Option(help="Loyalty programme that the plan is for.")] = "default",
    json: Annotated[
        str, typer.Option(help="Write one JSON document to this file, or to stdout for '-'.")
    ] = "",
) -> None:
    """Plan whom to send what from a trial: the list, its cost, its value against simpler plans, and a verdict."""
    from training.data.columns import write_table
    from training.send_plan import PlanOptions, plan_sends
    from training.uplift.reading import TrialColumns

    columns = TrialColumns(
        treatment=treatment_column,
        control=control,
        outcome=outcome_column,
        margin=margin_column,
        response=response_column,
        member=member_column,
        propensity=propensity_column,
        features=tuple(names(features) or ()),
    )
    options = PlanOptions(
        costs=_costs(cost or []),
        budget=math.inf if budget is None else budget,
        sends=sends,
        min_roi=min_roi,
        caps=_caps(cap or []),
        rules=_rules(rule or []),
        smallest_gain=smallest_gain,
        random_share=random_share,
        members=members,
        shares=read_amounts(share or [], "--share"),
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
    if json:
        write_json(document, json)
    if json != "-":
        _say(result)


def _costs(written: list[str]) -> "dict[str, ArmCost]":
    from training.send_plan import ArmCost

    found = {}
    for text in written:
        arm, equals, amounts = text.rpartition("=")
        per_send, _, per_response = amounts.partition(",")
        try:
            cost = ArmCost(float(per_send), float(per_response or 0))
        except ValueError:
            equals = ""
        if not (equals and arm):
            raise typer.BadParameter(
                f"{text!r} is no ARM=PER_SEND[,PER_RESPONSE] such as mail=0.5,2.", param_hint="--cost"
            )
        found[arm] = cost
    return found


def _caps(written: list[str]) -> dict[str, int]:
    found = {}
    for text in written:
        arm, equals, count = text.rpartition("=")
        if not (equals and arm and count.strip().isdigit()):
            raise typer.BadParameter(f"{text!r} is no ARM=N such as mail=5000.", param_hint="--cap")
        found[arm] = int(count)
    return found


def _rules(written: list[str]) -> "list[RuleLine]":
    from training.send_plan.own_rule import RuleLine

    found = []
    for text in written:
        expression, equals, arm = text.rpartition("=")
        if not (equals and expression.strip() and arm.strip()):
            raise typer.BadParameter(
                f"{text!r} is no EXPRESSION=ARM such as 'visits > 3=mail'.", param_hint="--rule"
            )
        found.append(RuleLine(expression.strip(), arm.strip()))
    return found


def _say(result: "PlanResult") -> None:
    document = result.document
    say(f"{document['title']}. {document['sentence']}")
    for warning in document["warnings"]:
        say(f"! {warning}")
    said = [one for one in document["value"].values() if not one["refused"]]
    if said:
        say("\nWhat choosing for each member earns, per member:")
        rows = [
            (one["alternative"], *(f"{one[part]:+.4g}" for part in ("estimate", "ci_lower", "ci_upper")))
            for one in said
        ]
        say(table(("against", "more", "from", "to"), rows))
    say("\nThe list:")
    say(table(("gets", "members"), [(arm, f"{count:,}") for arm, count in document["list"]["sends"].items()]))
    say(
        f"Expected cost {document['list']['cost']:,.2f}; expected net gain {document['list']['expected_net_gain']:,.2f}."
    )
