"""What the server's configuration says of one programme.

Options that the commands of `troth models` share.
"""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from server.catalogue import Catalogue


@dataclass(frozen=True, slots=True)
class ProgrammeSource:
    """One programme of a configuration.

    Attributes:
        programme: Its id.
        catalogue: Its catalogue, as a server that starts now would serve it: with what was changed over gRPC.
        log: The server's event log.
    """

    programme: str
    catalogue: "Catalogue"
    log: Path


def read_programme(config: Path, programme: str = "") -> ProgrammeSource:
    """Return a programme of a configuration; without an id the only one.

    Raises:
        DefinitionError: The configuration or the catalogue cannot be used.
        BadParameter: There is no such programme, or it must be named.
    """
    from server.config import load_config
    from server.programme.loading import configured_catalogue

    found = load_config(config)
    chosen = chosen_programme(config, found.programmes, programme)
    return ProgrammeSource(chosen, configured_catalogue(config, chosen), Path(found.store.path))


def chosen_programme(config: Path, programmes: Collection[str], programme: str) -> str:
    """Return the programme that is named, or the only one.

    Args:
        config: The configuration's file.
        programmes: The programmes in it.
        programme: The one that is wanted, or empty.

    Raises:
        BadParameter: There is no such programme, or it must be named.
    """
    listed = ", ".join(sorted(programmes))
    if not programme and len(programmes) > 1:
        raise typer.BadParameter(f"{config} has the programmes {listed}; name one with --programme.")
    chosen = programme or next(iter(programmes))
    if chosen not in programmes:
        raise typer.BadParameter(f"{config} has no programme {chosen!r}; it has {listed}.")
    return chosen


DEFAULT_TASK = "replenish"

Store = Annotated[Path, typer.Option(help="Folder of the MLflow store.")]
Programme = Annotated[str, typer.Option(help="Loyalty programme.")]
OneTask = Annotated[
    str, typer.Option(help="What the models are for: replenish, win_back, discover, redeem, or actions.")
]
AnyTask = Annotated[str, typer.Option(help="Only the models of this task; of all tasks if empty.")]
Json = Annotated[str, typer.Option(help="Write one JSON document to this file, or to stdout for '-'.")]
