"""How many of the known members a segment matches."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from experiments.errors import Problem
from experiments.rules import Rule, RuleError
from server.catalogue.rules import compiled, segment_attributes
from server.catalogue.sizing import SegmentSize, size_of
from server.errors import CatalogueItemNotFoundError, InvalidRequestError
from server.programme.snapshot import Programmes


class KnownMembers(Protocol):
    """Knows the members of programmes. Safe to call from any thread."""

    def members(self, programme: str) -> Iterable[Mapping[str, object]]:
        """Yield what segments may ask about each member, by name; what is not known of her is not there.

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
