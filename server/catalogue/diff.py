"""Changes of a catalogue: what differs between two of them, field by field, and the entries of the audit trail."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from server.catalogue.base import CataloguePart
from server.catalogue.model import Catalogue

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


SETTINGS = "catalogue"
"""The item to which the fields of the catalogue itself belong."""

_LISTS = {
    "channels": "channel_id",
    "placements": "placement_id",
    "groups": "group_id",
    "segments": "segment_id",
    "contact_policies": "policy_id",
    "arbitrations": "arbitration_id",
    "offers": "offer_id",
    "actions": "action_id",
}
"""The lists of items, with the field that names each item."""


def catalogue_changes(before: Catalogue | None, after: Catalogue) -> tuple[Change, ...]:
    """Return the changes that lead from one catalogue to another, in the order of its fields; nothing if they are equal.

    An item that is new or gone is one change, an item that differs is one for each field.

    Args:
        before: The catalogue as it was; ``None`` if there was none.
        after: The catalogue as it is.
    """
    found: list[Change] = []
    for name in Catalogue.model_fields:
        old, new = getattr(before, name, None), getattr(after, name)
        if old == new:
            continue
        if name in _LISTS:
            found += _items(name, old or (), new)
        else:
            found += _fields(SETTINGS, name, _plain(old), _plain(new))
    return tuple(found)


def _items(listing: str, before: Sequence[CataloguePart], after: Sequence[CataloguePart]) -> Iterator[Change]:
    key = _LISTS[listing]
    old = {getattr(part, key): part for part in before}
    new = {getattr(part, key): part for part in after}
    for name, part in old.items():
        if name not in new:
            yield Change(ChangeKind.REMOVED, f"{listing}/{name}", "", _summary(part, key), "")
    for name, part in new.items():
        if name not in old:
            yield Change(ChangeKind.ADDED, f"{listing}/{name}", "", "", _summary(part, key))
        elif old[name] != part:
            yield from _fields(f"{listing}/{name}", "", _plain(old[name]), _plain(part))
    yield from _order(listing, [name for name in old if name in new], [name for name in new if name in old])


def _order(listing: str, before: list[str], after: list[str]) -> Iterator[Change]:
    """Yield the change of the order of items that stayed, without the ends that are the same."""
    if before == after:
        return
    while before[0] == after[0]:
        before, after = before[1:], after[1:]
    while before[-1] == after[-1]:
        before, after = before[:-1], after[:-1]
    yield Change(ChangeKind.CHANGED, listing, "order", ", ".join(before), ", ".join(after))


def _fields(item: str, path: str, before: Any, after: Any) -> Iterator[Change]:
    if before == after:
        return
    if isinstance(before, dict) or isinstance(after, dict):
        old, new = before or {}, after or {}
        for name in {**old, **new}:
            yield from _fields(item, f"{path}.{name}" if path else name, old.get(name), new.get(name))
    elif _has_parts(before) or _has_parts(after):
        old, new = before or [], after or []
        for index in range(max(len(old), len(new))):
            pair = (list_[index] if index < len(list_) else None for list_ in (old, new))
            yield from _fields(item, f"{path}[{index}]", *pair)
    elif _text(before) != _text(after):
        yield Change(ChangeKind.CHANGED, item, path, _text(before), _text(after))


def _summary(part: CataloguePart, key: str) -> str:
    """Return the fields of an item that are not as by default, on one line."""
    content = part.model_dump(mode="json", exclude_defaults=True)
    content.pop(key)
    return "; ".join(f"{path}: {text}" for path, text in _leaves("", content))


def _leaves(path: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _leaves(f"{path}.{name}" if path else name, inner)
    elif _has_parts(value):
        for index, inner in enumerate(value):
            yield from _leaves(f"{path}[{index}]", inner)
    else:
        yield path, _text(value)


def _plain(value: Any) -> Any:
    if isinstance(value, CataloguePart):
        return value.model_dump(mode="json")
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return value


def _has_parts(value: Any) -> bool:
    return isinstance(value, list) and any(isinstance(one, dict) for one in value)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    return str(value)
