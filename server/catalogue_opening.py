"""Opening a programme's catalogue: file and store together, with the file's change in the audit trail."""

from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from experiments.catalogue_changes import FILE_ACTOR, CatalogueChange, ChangeSource
from experiments.errors import DefinitionError, Problem
from server.catalogue import Catalogue, catalogue_changes, catalogue_problems
from server.catalogue.load import load_catalogue, part_problems
from server.catalogue.start import catalogue_to_serve
from server.config import load_config
from server.errors import StoreUnavailableError
from server.storage.catalogue_store import CatalogueFile, CatalogueStore

_ATTEMPTS = 5
"""How often another process may start at the same moment and be faster."""
_PATIENCE_S = 60.0


def open_catalogue(file_catalogue: Catalogue, store: CatalogueStore, now: datetime) -> Catalogue:
    """Return the catalogue that a starting server serves; a change that the file makes is on disk before.

    Args:
        file_catalogue: What the configured file says, checked.
        store: The store of catalogues.
        now: The server's clock.

    Raises:
        DefinitionError: What stands in the store breaks the rules of this version.
        StoreUnavailableError, StoreTimeoutError: The store cannot be used.
    """
    programme = file_catalogue.programme
    for _ in range(_ATTEMPTS):
        standing = store.standing_catalogue(programme)
        try:
            start = catalogue_to_serve(file_catalogue, standing, store.last_catalogue_from_file(programme))
        except ValidationError as error:
            raise _outdated(programme, part_problems(error, Catalogue)) from None
        if not start.from_file:
            problems = catalogue_problems(start.catalogue)
            if problems:
                raise _outdated(programme, problems)
            return start.catalogue
        change = _file_change(file_catalogue, standing, now)
        if store.append_catalogue_change(change, _PATIENCE_S) == change:
            return file_catalogue
    raise StoreUnavailableError("other servers change the catalogue all the time")


def configured_catalogue(config: Path, programme: str) -> Catalogue:
    """Return the catalogue that a server of a configuration would begin with; nothing is written.

    Args:
        config: The configuration file.
        programme: The loyalty programme.

    Raises:
        DefinitionError: The configuration or the catalogue is wrong, or does not have this programme.
        StoreUnavailableError: The store cannot be read.
    """
    settings = load_config(config)
    section = settings.programmes.get(programme)
    if section is None:
        raise DefinitionError(str(config), [Problem("programmes", f"there is no programme {programme!r}")])
    file_catalogue = load_catalogue(Path(section.catalogue))
    path = Path(settings.store.path)
    if not path.exists():
        return file_catalogue
    store = CatalogueFile(path)
    standing, from_file = store.standing_catalogue(programme), store.last_catalogue_from_file(programme)
    try:
        return catalogue_to_serve(file_catalogue, standing, from_file).catalogue
    except ValidationError as error:
        raise _outdated(programme, part_problems(error, Catalogue)) from None


def _file_change(
    file_catalogue: Catalogue, standing: CatalogueChange | None, now: datetime
) -> CatalogueChange:
    return CatalogueChange(
        programme=file_catalogue.programme,
        position=1 if standing is None else standing.position + 1,
        revision=file_catalogue.revision,
        change_time=now,
        actor=FILE_ACTOR,
        source=ChangeSource.FILE,
        request_id="",
        request_digest="",
        changes=catalogue_changes(stored_catalogue(standing), file_catalogue),
        document=file_catalogue.to_json(),
    )


def stored_catalogue(standing: CatalogueChange | None) -> Catalogue | None:
    """Return the catalogue of a change to compare with; none if there is none or this version cannot read it."""
    if standing is None:
        return None
    try:
        return Catalogue.from_json(standing.document)
    except ValidationError:
        return None


def _outdated(programme: str, problems: list[Problem]) -> DefinitionError:
    source = (
        f"The catalogue of programme {programme!r} in the store breaks the rules of this version; once the configured file is"
        " edited, that replaces it"
    )
    return DefinitionError(source, problems)
