"""The rules of a catalogue, compiled, and how many members a rule matches."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import polars as pl

from experiments.errors import AnalysisError
from experiments.rules import AttributeType, Rule, RuleOutcome, compile_rule
from experiments.rules.tree import Attribute, InAttribute, Literal, Node, parts_of
from server.catalogue.model import MOMENT_ATTRIBUTES, PROFILE_ATTRIBUTES, Catalogue

SEGMENTS = "segments"
"""The attribute that holds a member's segments."""

_KEPT = 4096
"""Rules that stay compiled, so that a change of one offer compiles one rule."""


def rule_attributes(catalogue: Catalogue) -> Mapping[str, AttributeType]:
    """Return what the rules of offers, actions, groups and context weights may ask about, with types."""
    return {**_declared(catalogue), **PROFILE_ATTRIBUTES, **MOMENT_ATTRIBUTES}


def segment_attributes(catalogue: Catalogue) -> Mapping[str, AttributeType]:
    """Return what the rules of segments may ask about, with types: the member, not the moment and not other segments."""
    profile = {name: kind for name, kind in PROFILE_ATTRIBUTES.items() if name != SEGMENTS}
    return {**_declared(catalogue), **profile}


def compiled(text: str, attributes: Mapping[str, AttributeType]) -> Rule:
    """Return a rule ready for use; the same text over the same attributes is compiled once.

    Raises:
        RuleError: The rule cannot be used; each fault has its line and column.
    """
    return _compiled(text, tuple(sorted(attributes.items())))


def segments_asked(rule: Rule) -> tuple[str, ...]:
    """Return the segments that a rule names, in its order."""
    return tuple(dict.fromkeys(_segments(rule.tree)))


def place_of(text: str, segment_id: str) -> str:
    """Return where a rule names a segment, as ``line 1, column 8``."""
    found = re.search(rf"""(["']){re.escape(segment_id)}\1""", text)
    before = text[: found.start()] if found else ""
    return f"line {before.count(chr(10)) + 1}, column {len(before) - (before.rfind(chr(10)) + 1) + 1}"


@lru_cache(maxsize=_KEPT)
def _compiled(text: str, attributes: tuple[tuple[str, AttributeType], ...]) -> Rule:
    return compile_rule(text, dict(attributes))


def _declared(catalogue: Catalogue) -> dict[str, AttributeType]:
    return {name: AttributeType(kind) for name, kind in catalogue.attributes.items()}


def _segments(node: Node) -> Iterator[str]:
    match node:
        case InAttribute(needle=Literal(value=str(segment_id)), texts=Attribute(name="segments")):
            yield segment_id
        case _:
            for part in parts_of(node):
                yield from _segments(part)


_CSV_KINDS: Mapping[AttributeType, pl.DataType] = {
    AttributeType.STRING: pl.String(),
    AttributeType.INT: pl.Int64(),
    AttributeType.DOUBLE: pl.Float64(),
    AttributeType.BOOL: pl.Boolean(),
}


@dataclass(frozen=True, slots=True)
class SegmentSize:
    """The size of a segment.

    Attributes:
        matching: Members that the rule matches.
        erring: Members for whom it cannot be worked out, mostly for want of an attribute; it does not match them.
        members: All members.
    """

    matching: int
    erring: int
    members: int

    def sentence(self) -> str:
        """Return the size in words: ``matches 1,234 of 17,000 (7.3 %); 2,175 lack an attribute it asks about``."""
        share = f" ({100 * self.matching / self.members:.1f} %)" if self.members else ""
        told = f"matches {self.matching:,} of {self.members:,}{share}"
        if self.erring:
            told += f"; {self.erring:,} {'lacks' if self.erring == 1 else 'lack'} an attribute it asks about"
        return told


def size_of(rule: Rule, members: Iterable[Mapping[str, object]]) -> SegmentSize:
    """Count the members one by one.

    Args:
        rule: The rule.
        members: The attributes of each member by name.
    """
    counts = dict.fromkeys(RuleOutcome, 0)
    for attributes in members:
        counts[rule.evaluate(attributes)] += 1
    return SegmentSize(counts[RuleOutcome.MATCH], counts[RuleOutcome.ERROR], sum(counts.values()))


def size_in_table(rule: Rule, table: pl.LazyFrame) -> SegmentSize:
    """Count the members of a table, all at once.

    Args:
        rule: The rule.
        table: One row per member; what the rule asks about are columns of those names. A column that is not there, and a null,
            is a missing attribute.

    Raises:
        AnalysisError: A column's type does not fit its attribute's, or the table cannot be read.
    """
    try:
        schema = table.collect_schema()
        # As a column, since a rule of which the table has no column gives one value for all.
        judged = table.with_columns(outcome=rule.outcome_expression(schema))
        counted = judged.select(
            (pl.col("outcome") == RuleOutcome.MATCH.value).sum().alias("matching"),
            (pl.col("outcome") == RuleOutcome.ERROR.value).sum().alias("erring"),
            pl.len().alias("members"),
        ).collect(engine="streaming")
    except pl.exceptions.PolarsError as error:
        raise AnalysisError(f"The table cannot be read: {str(error).splitlines()[0]}.") from None
    matching, erring, members = counted.row(0)
    return SegmentSize(int(matching), int(erring), int(members))


def open_members(path: Path, attributes: Mapping[str, AttributeType]) -> pl.LazyFrame:
    """Open a table of members; in CSV, attributes are read as they are declared.

    Args:
        path: A ``.parquet`` or ``.csv`` file.
        attributes: What rules may ask about, with types.

    Raises:
        AnalysisError: There is no such file, or it has another format.
    """
    if path.suffix not in {".parquet", ".csv"}:
        raise AnalysisError(f"{path}: must end in .parquet or .csv.", path=str(path))
    if not path.is_file():
        raise AnalysisError(f"{path}: there is no such file.", path=str(path))
    if path.suffix == ".parquet":
        return pl.scan_parquet(path)
    declared = {name: _CSV_KINDS[kind] for name, kind in attributes.items() if kind in _CSV_KINDS}
    return pl.scan_csv(path, schema_overrides=declared, try_parse_dates=True)
