"""Answers requests about catalogues: reading, changing and their audit trail, and the size of segments."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from typing import Any, Protocol

from pydantic import ValidationError

from experiments.errors import Problem
from experiments.rules import Rule, RuleError
from server.catalogue import Action, Catalogue, Offer, Segment, catalogue_problems
from server.catalogue.base import CataloguePart
from server.catalogue.diff import CatalogueChange
from server.catalogue.load import part_problems
from server.catalogue.rules import SegmentSize, compiled, segment_attributes, size_of
from server.clock import Clock
from server.errors import (
    CatalogueItemNotFoundError,
    CatalogueRevisionNotFoundError,
    InvalidRequestError,
    StoreUnavailableError,
)
from server.handlers.changes import CatalogueChanges, CatalogueEdit
from server.programme.programmes import Programmes
from server.storage.catalogue_store import CatalogueStore


class Item(Enum):
    """The kinds of items that are kept one by one: the list of the catalogue that has them, their id, their model."""

    OFFER = ("offers", "offer_id", Offer)
    ACTION = ("actions", "action_id", Action)
    SEGMENT = ("segments", "segment_id", Segment)

    def __init__(self, listing: str, key: str, model: type[CataloguePart]) -> None:
        self.listing = listing
        self.key = key
        self.model = model

    @property
    def noun(self) -> str:
        """What people call it."""
        return self.listing.removesuffix("s")


class CatalogueHandler:
    """Answers everything that reads or changes catalogues.

    Args:
        programmes: Holds the catalogues in force.
        store: Where changes go before they take effect.
        clock: The server's clock.
        on_change: Called with programme and catalogue once another one is in force.
    """

    def __init__(
        self,
        programmes: Programmes,
        store: CatalogueStore,
        clock: Clock,
        on_change: Callable[[str, Catalogue], None] = lambda _programme, _catalogue: None,
    ) -> None:
        self._programmes = programmes
        self._store = store
        self._changes = CatalogueChanges(programmes, store, clock, on_change)

    def close(self) -> None:
        """Finish the change under way and take no more."""
        self._changes.close()

    def follow(self, names: Iterable[str]) -> None:
        """Put in force what other processes changed; see ``CatalogueChanges.follow``."""
        self._changes.follow(names)

    def get(self, programme: str, revision: str = "") -> Catalogue:
        """Return the catalogue in force, or as it was at a revision.

        Raises:
            ProgrammeNotFoundError, CatalogueRevisionNotFoundError: There is none.
            StoreUnavailableError: The trail cannot be read, or not by this version.
        """
        current = self._programmes.current(programme).catalogue
        if revision in ("", current.revision):
            return current
        found = self._store.catalogue_at(programme, revision)
        if found is None:
            raise CatalogueRevisionNotFoundError(programme, revision)
        try:
            return Catalogue.from_json(found.document)
        except ValidationError as error:
            raise StoreUnavailableError(f"revision {revision} breaks the rules of this version") from error

    def listing(self, programme: str, item: Item, after: str, most: int) -> Sequence[CataloguePart]:
        """Return the items whose ids come after one, by id, at most so many.

        Args:
            programme: The loyalty programme.
            item: Which kind of item.
            after: The item before the first.
            most: How many at most.

        Raises:
            ProgrammeNotFoundError: Unknown programme.
        """
        catalogue = self._programmes.current(programme).catalogue
        found = {getattr(one, item.key): one for one in getattr(catalogue, item.listing)}
        return [found[name] for name in sorted(found) if name > after][:most]

    def changes(self, programme: str, after: int, most: int) -> Sequence[CatalogueChange]:
        """Return the audit trail after a position, oldest first, at most so many.

        Args:
            programme: The loyalty programme.
            after: Changes up to this position are left out.
            most: How many at most.

        Raises:
            ProgrammeNotFoundError: Unknown programme.
            StoreUnavailableError: The trail cannot be read.
        """
        self._programmes.current(programme)
        return self._store.catalogue_changes(programme, after, most)

    def apply(self, edit: CatalogueEdit, fields: Mapping[str, Any], timeout: float) -> CatalogueChange:
        """Replace the whole catalogue; return the change once it is on disk and in force.

        Args:
            edit: Where the change comes from.
            fields: The catalogue, in the words of a catalogue file.
            timeout: Seconds to wait at most.

        Returns:
            The change as kept.

        Raises:
            InvalidRequestError: The catalogue breaks rules; all problems are named.
            ProgrammeNotFoundError, EtagMismatchError, CatalogueConflictError: It cannot be changed so.
            RequestIdReusedError, StoreUnavailableError, StoreTimeoutError: As for every change.
        """

        def changed(_: Catalogue) -> Catalogue:
            catalogue: Catalogue = _parsed(Catalogue, {"programme": edit.programme, **fields}, "catalogue")
            if catalogue.programme != edit.programme:
                message = f"must be empty or the request's, {edit.programme!r}"
                raise InvalidRequestError([Problem("catalogue.programme", message)])
            _refuse(_prefixed("catalogue", catalogue_problems(catalogue)))
            return catalogue

        return self._changes.run(edit, changed, timeout)

    def upsert(
        self, edit: CatalogueEdit, item: Item, fields: Mapping[str, Any], timeout: float
    ) -> CatalogueChange:
        """Put an item in the place of the one with its id, or at the end. Arguments and errors as in ``apply``.

        Args:
            edit: What the change is made to, by whom and why.
            item: Which kind of item.
            fields: Values by field.
            timeout: Seconds that the store may take.

        Returns:
            The change as kept.
        """

        def changed(catalogue: Catalogue) -> Catalogue:
            part = _parsed(item.model, fields, item.noun)
            parts = {getattr(one, item.key): one for one in getattr(catalogue, item.listing)}
            name = getattr(part, item.key)
            parts[name] = part
            after = _with(catalogue, item, tuple(parts.values()))
            own = f"{item.listing}[{list(parts).index(name)}]"
            _refuse(_about_item(own, item.noun, catalogue_problems(after)))
            return after

        return self._changes.run(edit, changed, timeout)

    def delete(self, edit: CatalogueEdit, item: Item, item_id: str, timeout: float) -> CatalogueChange:
        """Take an item out.

        Args:
            edit: What the change is made to, by whom and why.
            item: Which kind of item.
            item_id: The item's id.
            timeout: Seconds that the store may take.

        Returns:
            The change as kept.

        Raises:
            CatalogueItemNotFoundError: There is none of this id.
            InvalidRequestError: The rest of the catalogue needs it.
            Exception: The others as in ``apply``.
        """

        def changed(catalogue: Catalogue) -> Catalogue:
            parts = getattr(catalogue, item.listing)
            left = tuple(one for one in parts if getattr(one, item.key) != item_id)
            if len(left) == len(parts):
                raise CatalogueItemNotFoundError(edit.programme, item.noun, item_id)
            after = _with(catalogue, item, left)
            _refuse(_prefixed("catalogue", catalogue_problems(after)))
            return after

        return self._changes.run(edit, changed, timeout)


def _with(catalogue: Catalogue, item: Item, parts: tuple[CataloguePart, ...]) -> Catalogue:
    # Not a copy, which would keep what the old catalogue has worked out, such as its revision.
    fields = {name: getattr(catalogue, name) for name in Catalogue.model_fields}
    return Catalogue(**{**fields, item.listing: parts})


def _parsed(model: type[Any], fields: Mapping[str, Any], prefix: str) -> Any:
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        raise InvalidRequestError(_prefixed(prefix, part_problems(error, model))) from None


def _about_item(own: str, noun: str, problems: Sequence[Problem]) -> list[Problem]:
    """Return problems with the item's own as those of the item, the others as those of the catalogue."""
    told = []
    for problem in problems:
        mine = problem.path.startswith((f"{own}.", f"{own},"))
        path = noun + problem.path.removeprefix(own) if mine else f"catalogue.{problem.path}"
        told.append(Problem(path, problem.message))
    return told


def _prefixed(prefix: str, problems: Sequence[Problem]) -> list[Problem]:
    return [Problem(f"{prefix}.{problem.path}".rstrip("."), problem.message) for problem in problems]


def _refuse(problems: list[Problem]) -> None:
    if problems:
        raise InvalidRequestError(problems)


class KnownMembers(Protocol):
    """Knows the members of programmes. Safe to call from any thread."""

    def members(self, programme: str) -> Iterable[Mapping[str, object]]:
        """Yield what segments may ask about each member, by name; what is not known of them is not there.

        Raises:
            StoreUnavailableError: They cannot be read.
        """
        ...


class SegmentHandler:
    """Measures segments.

    Args:
        programmes: Holds the catalogues in force.
        members: Knows the members.
    """

    def __init__(self, programmes: Programmes, members: KnownMembers) -> None:
        self._programmes = programmes
        self._members = members

    def measure(self, programme: str, segment_id: str, rule: str) -> tuple[SegmentSize, Rule]:
        """Return the size of a segment, or of a rule that is to become one, and the rule.

        Args:
            programme: The loyalty programme.
            segment_id: The segment, or empty.
            rule: The rule, where no segment is named.

        Raises:
            ProgrammeNotFoundError, CatalogueItemNotFoundError: There is no such segment.
            InvalidRequestError: The rule cannot be used; its faults are named with line and column.
            StoreUnavailableError: The members cannot be read.
        """
        catalogue = self._programmes.current(programme).catalogue
        if segment_id:
            found = [segment.rule for segment in catalogue.segments if segment.segment_id == segment_id]
            if not found:
                raise CatalogueItemNotFoundError(programme, "segment", segment_id)
            rule = found[0]
        try:
            ready = compiled(rule, segment_attributes(catalogue))
        except RuleError as error:
            raise InvalidRequestError(
                [Problem(f"rule, {problem.path}", problem.message) for problem in error.problems]
            ) from None
        return size_of(ready, self._members.members(programme)), ready
