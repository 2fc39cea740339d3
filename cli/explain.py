"""`troth explain`: why a decision was made, in plain words."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.table import Table

from cli.options import DEFAULT_CONFIG, JsonOption, LogConfigOption, OneProgrammeOption
from cli.output import write_json

if TYPE_CHECKING:
    from experiments.log.events import ActionChoice, Decision, OfferChoice
    from server.decide.explain import Explained
    from server.handlers.replay import Replayed

NEXT_BEST = 5
"""How many candidates are listed that could have been chosen too."""
_EXAMPLES = 3
_FACTORS = ("probability", "value", "context", "lever", "cost")
_WIDTH = 160
"""Width of the output where there is no terminal."""
_CHANCES = {
    "none": "nothing was left to chance",
    "epsilon": "the best, and in a share of choices any of the shortlist",
    "softmax": "in proportion to exp(score / temperature)",
    "thompson": "in proportion to each one's chance to be the best",
    "uniform": "everything that could be chosen was equally likely",
}


def explain(
    decision_id: Annotated[str, typer.Argument(help="The decision, as the answer named it.")],
    config: LogConfigOption = DEFAULT_CONFIG,
    programme: OneProgrammeOption = "",
    everything: Annotated[
        bool, typer.Option("--all", help="List every candidate, not only the next best and examples.")
    ] = False,
    json: JsonOption = "",
) -> None:
    """Say why a decision was made: what its scores were made of, and which gate removed what was not chosen."""
    from server.config import load_config
    from server.log_replay import open_log_replay
    from server.programme.configured import chosen_programme

    found = load_config(config)
    chosen = chosen_programme(config, found.programmes, programme)
    with open_log_replay(found, chosen) as log:
        replayed = log.handler.replay(chosen, decision_id)
        if json:
            from google.protobuf.json_format import MessageToDict

            from server.api.recommendation import explain_response

            message = explain_response(replayed)
            write_json(MessageToDict(message, preserving_proto_field_name=True), json)
        if json != "-":
            print_explained(replayed, everything=everything)


def print_explained(replayed: "Replayed", *, everything: bool) -> None:
    """Print who asked, what was chosen, what came next, and what was removed by which gate.

    Args:
        replayed: The decision, made again.
        everything: List every candidate that was removed instead of examples.
    """
    console = Console(highlight=False, emoji=False)
    if not console.is_terminal:
        console = Console(highlight=False, emoji=False, width=_WIDTH)
    console.print(explained(replayed, everything=everything))


def explained(replayed: "Replayed", *, everything: bool) -> Group:
    """Return what ``print_explained`` prints."""
    from server.decide.gates import Gate

    decision, candidates = replayed.decision, replayed.candidates
    chosen = [one for one in candidates if one.rank]
    rest = [one for one in candidates if not one.rank and one.gate is Gate.OPEN]
    removed = [one for one in candidates if one.gate is not Gate.OPEN]
    nothing = "Nothing was chosen: no candidate was left."
    parts: list[RenderableType] = [escape(line) for line in _heading(decision)]
    if replayed.differences:
        parts += ["", f"It does not come out as logged any more: see `troth replay {decision.decision_id}`."]
    parts += ["", _scored("Chosen", chosen, replayed) if chosen else nothing]
    if rest:
        listed = rest if everything else rest[:NEXT_BEST]
        parts += ["", _scored(f"Could be chosen too: {len(rest):,}", listed, replayed)]
    if removed:
        parts += ["", _each(removed) if everything else _by_gate(removed)]
    return Group(*parts)


def _heading(decision: "Decision") -> Iterable[str]:
    where = decision.placement_id + (f", channel {decision.channel_id}" if decision.channel_id else "")
    yield f"Decision {decision.decision_id} of programme {decision.programme}"
    yield f"  who          {decision.member_id}"
    yield f"  where        {where}"
    campaign = f", for campaign {decision.campaign_id}" if decision.campaign_id else ""
    yield f"  when         {decision.decide_time:%Y-%m-%d %H:%M:%S.%f} UTC{campaign}"
    model = f" by model {decision.model_version}" if decision.model_version else ""
    weighed = f", weighed by {decision.arbitration_id}" if decision.arbitration_id else ""
    yield f"  policy       ranking {decision.ranking}{model}{weighed}"
    yield (
        f"  chance       {_CHANCES[decision.exploration]}; this answer had the probability"
        f" {decision.slate_propensity:.6g}"
    )
    yield f"  standing arm {decision.standing_arm or 'none'}"
    variants = ", ".join(f"{one.experiment_id}: {one.variant_id}" for one in decision.assignments)
    yield f"  experiments  {variants or 'none'}"
    if decision.degradations:
        yield f"  missing      {', '.join(decision.degradations)}"
    yield f"  revisions    {decision.catalogue_revision}, {decision.plan_revision}"


def _scored(title: str, listed: Sequence["Explained"], replayed: "Replayed") -> Table:
    decision = replayed.decision
    has_channels = any(one.channel_id for one in listed)
    has_factors = any(one.factors for one in listed)
    given: Sequence[OfferChoice | ActionChoice] = (*decision.offers, *decision.actions)
    chances = {one.rank: one.propensity for one in given}
    has_ranks = any(one.rank for one in listed)
    table = _table(title)
    if has_ranks:
        table.add_column("rank", justify="right")
    table.add_column("candidate")
    table.add_column("title")
    if has_channels:
        table.add_column("channel")
    table.add_column("score", justify="right")
    if has_ranks:
        table.add_column("propensity", justify="right")
    for name in _FACTORS if has_factors else ():
        table.add_column(
            f"− {name}" if name == "cost" else f"{'' if name == 'probability' else '× '}{name}",
            justify="right",
        )
    described = replayed.catalogue.candidates_by_id
    for one in listed:
        known = described.get(one.candidate_id)
        cells = [str(one.rank)] if has_ranks else []
        cells += [one.candidate_id, "" if known is None else known.title]
        cells += [one.channel_id] if has_channels else []
        cells.append(f"{one.score:.6g}")
        cells += [f"{chances.get(one.rank, 0):.6g}"] if has_ranks else []
        if has_factors:
            cells += [f"{one.factors[name]:.6g}" if one.factors else "" for name in _FACTORS]
        table.add_row(*map(escape, cells))
    return table


def _by_gate(removed: Sequence["Explained"]) -> Table:
    table = _table(f"Removed: {len(removed):,}")
    for column in ("gate", "count", "for example", "because"):
        table.add_column(column, justify="right" if column == "count" else "left", overflow="fold")
    for gate, group in groupby(removed, key=lambda one: one.gate):
        found = list(group)
        # The commonest reason of the gate, and candidates that it holds for.
        reasons = [one.explanation for one in found]
        reason = max(dict.fromkeys(reasons), key=reasons.count)
        names = list(dict.fromkeys(_name(one) for one in found if one.explanation == reason))
        others = len(set(reasons)) - 1
        more = f"; {others} other {'reason' if others == 1 else 'reasons'}" if others else ""
        examples = ", ".join(names[:_EXAMPLES]) + (", …" if len(found) > min(len(names), _EXAMPLES) else "")
        table.add_row(gate.name, f"{len(found):,}", escape(examples), escape(reason + more))
    return table


def _each(removed: Sequence["Explained"]) -> Table:
    table = _table(f"Removed: {len(removed):,}")
    for column in ("gate", "candidate", "because"):
        table.add_column(column, overflow="fold")
    for one in removed:
        table.add_row(one.gate.name, escape(_name(one)), escape(one.explanation))
    return table


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)


def _name(one: "Explained") -> str:
    return f"{one.candidate_id} ({one.channel_id})" if one.channel_id else one.candidate_id
