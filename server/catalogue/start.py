"""Which catalogue is in force when the server starts: the configured file's or the one that was changed since."""

from dataclasses import dataclass

from experiments.catalogue_changes import CatalogueChange
from server.catalogue.model import Catalogue


@dataclass(frozen=True, slots=True)
class StartingCatalogue:
    """What a server begins with.

    Attributes:
        catalogue: The catalogue in force.
        from_file: Whether the file brings it, so that this is a change to keep.
    """

    catalogue: Catalogue
    from_file: bool


def catalogue_to_serve(
    file_catalogue: Catalogue, standing: CatalogueChange | None, last_from_file: CatalogueChange | None
) -> StartingCatalogue:
    """Return the catalogue to begin with.

    The file counts when it says something else than it last did, or never said anything; otherwise what stands in the store
    does, so that changes over gRPC outlive a restart until somebody edits the file.

    Args:
        file_catalogue: What the file says now.
        standing: The last change in the store; none if there is none.
        last_from_file: The last change that the file made; none if it never made one.

    Raises:
        ValidationError: What stands in the store breaks the rules of today.
    """
    if standing is None or last_from_file is None or last_from_file.revision != file_catalogue.revision:
        return StartingCatalogue(file_catalogue, from_file=True)
    if standing.revision == file_catalogue.revision:
        return StartingCatalogue(file_catalogue, from_file=False)
    return StartingCatalogue(Catalogue.from_json(standing.document), from_file=False)
