"""`troth catalog`: checks, compares, applies and explains catalogues."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import CatalogueArgument, CommandGroup, JsonOption, ServerOption
from cli.output import publish, say

if TYPE_CHECKING:
    from server.catalogue import Catalogue
    from server.catalogue.diff import Change
    from server.clients.catalogue import Applied

app = CommandGroup(help="Offers, actions, segments, rules and limits.", no_args_is_help=True)


@app.command()
def validate(path: CatalogueArgument) -> None:
    """Check a catalogue, its rules included; every problem is named at once."""
    from server.catalogue import load_catalogue

    catalogue = load_catalogue(path)
    say(f"{path}: {_contents(catalogue)}, nothing wrong. Revision {catalogue.revision}.")


@app.command()
def diff(
    path: CatalogueArgument,
    against: Annotated[Path | None, typer.Option(help="Compare with this file, the earlier one.")] = None,
    server: Annotated[str, typer.Option(help="Compare with what a server has in force, as HOST:PORT.")] = "",
    config: Annotated[
        Path | None,
        typer.Option(help="Compare with what a server of this configuration (TOML) would begin with."),
    ] = None,
    json: JsonOption = "",
) -> None:
    """Show what a catalogue changes, item by item and field by field."""
    from server.catalogue import catalogue_changes, load_catalogue

    if sum((against is not None, bool(server), config is not None)) != 1:
        raise typer.BadParameter("Give one of --against FILE, --server HOST:PORT and --config FILE.")
    after = load_catalogue(path)
    if against is not None:
        before = load_catalogue(against)
    elif config is not None:
        from server.programme.loading import configured_catalogue

        before = configured_catalogue(config, after.programme)
    else:
        from server.clients.catalogue import catalogue_in_force

        before = catalogue_in_force(server, after.programme)
    changes = catalogue_changes(before, after)
    publish(
        json,
        lambda: _document(after.revision, changes, before=before.revision),
        lambda: (
            _listing(changes) if changes else f"{path}: no difference; both are revision {after.revision}."
        ),
    )


@app.command()
def apply(
    path: CatalogueArgument,
    server: ServerOption,
    actor: Annotated[str, typer.Option(help="Who makes the change, for the audit trail.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Let the server check and compare, and change nothing.")
    ] = False,
    json: JsonOption = "",
) -> None:
    """Put a catalogue in force on a server; it decides by it from the next request on."""
    from server.catalogue import load_catalogue
    from server.clients.catalogue import apply_catalogue

    catalogue = load_catalogue(path)
    applied = apply_catalogue(server, catalogue, actor, dry_run=dry_run)
    publish(
        json,
        lambda: _document(applied.revision, applied.changes, position=applied.position),
        lambda: _applied(applied, server, dry_run=dry_run),
    )


def _applied(applied: "Applied", server: str, *, dry_run: bool) -> str:
    if not applied.change_count:
        return f"{server} has revision {applied.revision} in force already; nothing changed."
    lines = [_listing(applied.changes)] if applied.changes else []
    more = applied.change_count - len(applied.changes)
    if more:
        lines.append(f"Differences not shown: {more:,}.")
    if dry_run:
        lines.append(f"Nothing was changed: this would be revision {applied.revision}.")
    else:
        lines.append(f"{server} decides by revision {applied.revision} now, change {applied.position}.")
    return "\n".join(lines)


@app.command()
def explain(
    path: CatalogueArgument,
    offer_id: Annotated[
        str, typer.Argument(help="One offer or action; everything, segments included, if not given.")
    ] = "",
) -> None:
    """Say in plain words who may have an offer, how often, within which budget; inherited rules included."""
    from server.catalogue import load_catalogue
    from server.catalogue.explain import explain_candidate, explain_catalogue

    catalogue = load_catalogue(path)
    if offer_id and offer_id not in catalogue.candidates_by_id:
        raise typer.BadParameter(f"{path} has no offer or action {offer_id!r}.")
    say(explain_candidate(catalogue, offer_id) if offer_id else explain_catalogue(catalogue))


def _contents(catalogue: "Catalogue") -> str:
    counts = {
        "offer": len(catalogue.offers),
        "action": len(catalogue.actions),
        "segment": len(catalogue.segments),
        "placement": len(catalogue.placements),
    }
    return ", ".join(f"{count:,} {noun}{'' if count == 1 else 's'}" for noun, count in counts.items())


def _listing(changes: "tuple[Change, ...]") -> str:
    return "\n".join(map(str, changes))


def _document(revision: str, changes: "tuple[Change, ...]", **others: object) -> dict[str, object]:
    return {
        "revision": revision,
        **others,
        "changes": [
            {
                "kind": one.kind.value,
                "item": one.what,
                "path": one.path,
                "before": one.before,
                "after": one.after,
            }
            for one in changes
        ],
    }
