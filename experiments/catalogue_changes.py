"""Changes of a programme's catalogue as values: who changed what, when, and what the catalogue was afterwards."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

FILE_ACTOR = "file"
"""Who a change comes from that the configured file made."""


class ChangeKind(StrEnum):
    """What happened to an item of the catalogue."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


class ChangeSource(StrEnum):
    """How a change came in."""

    FILE = "file"
    GRPC = "grpc"
    CLI = "cli"


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between two catalogues.

    Attributes:
        kind: What happened.
        what: The item: ``offers/SKU1``, ``segments/families``; ``catalogue`` for its own fields, or a list whose order changed.
        path: The field of the item, for example ``cost.amount`` or ``budgets[1].units``; empty for an item that is new or gone.
        before: The field's value, or what the item said, as text; empty where there was nothing.
        after: The same afterwards.
    """

    kind: ChangeKind
    what: str
    path: str
    before: str
    after: str

    def __str__(self) -> str:
        if self.kind is ChangeKind.ADDED:
            return f"+ {self.what}" + (f"  {self.after}" if self.after else "")
        if self.kind is ChangeKind.REMOVED:
            return f"- {self.what}" + (f"  {self.before}" if self.before else "")
        return f"~ {self.what}  {self.path}: {self.before or 'none'} → {self.after or 'none'}"


@dataclass(frozen=True, slots=True)
class CatalogueChange:
    """One entry of the audit trail of a catalogue; immutable. The last one of a programme is how its catalogue stands.

    Attributes:
        programme: The loyalty programme.
        position: Counts the programme's changes, from 1.
        revision: Names the content afterwards.
        change_time: When, by the server's clock.
        actor: Who did it, as the request said; ``file`` for the configured file.
        source: How it came in.
        request_id: The client's key for retries, or empty.
        request_digest: Digest of what was asked; tells a retry from another request under the same key.
        changes: What differs from the catalogue before.
        document: The catalogue afterwards, as JSON.
    """

    programme: str
    position: int
    revision: str
    change_time: datetime
    actor: str
    source: ChangeSource
    request_id: str
    request_digest: str
    changes: tuple[Change, ...]
    document: str
