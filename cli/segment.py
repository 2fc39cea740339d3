"""`troth segment`: how large a segment is before it is used."""

import re
from pathlib import Path
from typing import Annotated

import typer

from cli.options import CommandGroup, JsonOption
from cli.output import publish

app = CommandGroup(help="Named rules over members.", no_args_is_help=True)


@app.callback()
def segment() -> None:
    """Measure segments."""


@app.command()
def size(
    rule_or_id: Annotated[str, typer.Argument(help="A segment of the catalogue, or a rule in CEL.")],
    catalogue: Annotated[Path, typer.Option(help="YAML file with the catalogue.")],
    members: Annotated[Path, typer.Option(help="Table with one row per member: .parquet or .csv.")],
    json: JsonOption = "",
) -> None:
    """Count the members of a table that a segment or rule matches."""
    from experiments.rules import describe
    from server.catalogue import load_catalogue
    from server.catalogue.rules import compiled, open_members, segment_attributes, size_in_table

    known = load_catalogue(catalogue)
    attributes = segment_attributes(known)
    rules = {segment.segment_id: segment.rule for segment in known.segments}
    if re.fullmatch(r"[\w-]+", rule_or_id) and rule_or_id not in {*rules, *attributes, "true", "false"}:
        raise typer.BadParameter(
            f"{rule_or_id!r} is neither a segment of {catalogue} nor a rule; it has {', '.join(rules) or 'no segments'}."
        )
    rule = compiled(rules.get(rule_or_id, rule_or_id), attributes)
    found = size_in_table(rule, open_members(members, attributes))
    figures = {"matching": found.matching, "erring": found.erring, "members": found.members}
    publish(json, lambda: {"rule": rule.text, **figures}, lambda: f"{describe(rule)}: {found.sentence()}.")
