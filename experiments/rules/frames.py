"""A checked rule as a polars expression: for whole tables.

An error is a null here. Nulls pass through polars' arithmetic and comparisons, and its ``&`` and ``|`` are three-valued,
so errors behave as in CEL with little help. What needs help: NaN (polars holds it equal to itself and above all
numbers), ints beyond 64 bits (polars wraps round; here 128 bits are used and narrowed), division (polars rounds down,
CEL towards zero), and ``when`` (a null condition is false to it).
"""

from collections.abc import Callable, Mapping

import polars as pl

from experiments.errors import AnalysisError
from experiments.rules.attributes import LOWEST_INT, AttributeType
from experiments.rules.closures import closure
from experiments.rules.tree import (
    All,
    AnyOf,
    Arithmetic,
    Attribute,
    Comparator,
    Compare,
    Conditional,
    InAttribute,
    InList,
    Literal,
    Matches,
    Node,
    Not,
    Operation,
    Opposite,
    Presence,
    Size,
    TextRelation,
    TextTest,
    ToDouble,
    names_of,
)

_DTYPES: dict[AttributeType, pl.DataType] = {
    AttributeType.STRING: pl.String(),
    AttributeType.INT: pl.Int64(),
    AttributeType.DOUBLE: pl.Float64(),
    AttributeType.BOOL: pl.Boolean(),
    AttributeType.TIMESTAMP: pl.Datetime("us", "UTC"),
    AttributeType.STRINGS: pl.List(pl.String),
}
_WIDE = pl.Int128
_LOOKED_UP = frozenset({AttributeType.STRING, AttributeType.INT})


def frame_expression(node: Node, columns: Mapping[str, pl.DataType] | None = None) -> pl.Expr:
    """Return a rule as an expression over columns named like the attributes; null where it errs.

    Args:
        node: A checked rule.
        columns: The table's columns and types. A column that is not there is a missing attribute in every row.
            Without it, all columns of the rule are taken to be there with types that fit.

    Raises:
        AnalysisError: A column's type does not fit its attribute's declared type.
    """
    truth = _Frame(columns).lower(node)
    present = sorted(name for name in names_of(node) if columns is None or name in columns)
    if not present:
        return truth
    # Polars 2.1 can shrink `when` with a literal branch to one row where all rows take that branch, and then does not
    # spread it again. An "and" with what is true in every row restores the height.
    column = pl.col(present[0])
    return truth & (column.is_null() | column.is_not_null())


class _Frame:
    def __init__(self, columns: Mapping[str, pl.DataType] | None) -> None:
        self._columns = columns

    def lower(self, node: Node) -> pl.Expr:  # noqa: C901, PLR0911, PLR0912 - one case per node
        if self._constant(node):
            # Polars cannot spread every single value over a table (is_in and when make columns of them).
            return pl.lit(closure(node)({}), dtype=_DTYPES[node.kind])
        match node:
            case Literal():
                return pl.lit(node.value, dtype=_DTYPES[node.kind])
            case Attribute():
                return self._attribute(node)
            case Presence(name=name):
                return pl.col(name).is_not_null()
            case Compare(comparator=comparator, left=left, right=right):
                return self._comparison(comparator, left, right)
            case Not(operand=operand):
                return self.lower(operand).not_()
            case All(terms=terms):
                return pl.all_horizontal([self.lower(term) for term in terms])
            case AnyOf(terms=terms):
                return pl.any_horizontal([self.lower(term) for term in terms])
            case InList():
                return self._in_list(node)
            case TextTest(relation=relation, text=text, part=part):
                return _RELATE[relation](self.lower(text), self.lower(part))
            case Matches(text=text, pattern=pattern):
                return self.lower(text).str.contains(pattern.rust)
            case InAttribute(needle=needle, texts=texts):
                sought = self.lower(needle)
                # A null is found in a list that holds one, and not found in others.
                return pl.when(sought.is_not_null()).then(self.lower(texts).list.contains(sought))
            case Size(operand=operand):
                inner = self.lower(operand)
                is_list = operand.kind is AttributeType.STRINGS
                return (inner.list.len() if is_list else inner.str.len_chars()).cast(pl.Int64)
            case ToDouble(operand=operand):
                return self.lower(operand).cast(pl.Float64)
            case Opposite(kind=AttributeType.INT, operand=operand):
                return _narrow(_opposite(self.lower(operand).cast(_WIDE)))
            case Opposite(operand=operand):
                return -self.lower(operand)
            case Arithmetic(kind=kind, operation=operation, left=left, right=right):
                operations = _INT_OPERATIONS if kind is AttributeType.INT else _DOUBLE_OPERATIONS
                return operations[operation](self.lower(left), self.lower(right))
            case Conditional(condition=condition, chosen=chosen, otherwise=otherwise):
                truth = self.lower(condition)
                return pl.when(truth).then(self.lower(chosen)).when(truth.not_()).then(self.lower(otherwise))

    def _constant(self, node: Node) -> bool:
        return all(self._is_absent(name) for name in names_of(node))

    def _is_absent(self, name: str) -> bool:
        return self._columns is not None and name not in self._columns

    def _attribute(self, attribute: Attribute) -> pl.Expr:
        dtype = _DTYPES[attribute.kind]
        if self._columns is not None and not _fits(attribute.kind, self._columns[attribute.name]):
            raise AnalysisError(
                f'The column "{attribute.name}" holds {self._columns[attribute.name]}, but the rule asks for an '
                f"attribute of type {attribute.kind}.",
                column=attribute.name,
            )
        column = pl.col(attribute.name).cast(dtype, strict=False)
        if attribute.kind is AttributeType.STRINGS:
            nothing = pl.lit(None, dtype=pl.String)
            return pl.when(column.list.contains(nothing, nulls_equal=True).not_()).then(column)
        return column

    def _comparison(self, comparator: Comparator, left: Node, right: Node) -> pl.Expr:
        first, second = self.lower(left), self.lower(right)
        if left.kind is not AttributeType.DOUBLE:
            return _COMPARE[comparator](first, second)
        if comparator is Comparator.UNEQUAL:
            return self._comparison(Comparator.EQUAL, left, right).not_()
        outcome = _COMPARE[comparator](first, second)
        # With NaN above all numbers, only the greater side of a true comparison can be one.
        if comparator in {Comparator.LESS, Comparator.AT_MOST}:
            greater, node = second, right
        else:
            greater, node = first, left
        if isinstance(node, Literal):
            return outcome
        return pl.when(outcome & greater.is_nan()).then(False).otherwise(outcome)

    def _in_list(self, node: InList) -> pl.Expr:
        needle = self.lower(node.needle)
        if not node.items:
            return pl.when(needle.is_not_null()).then(False)
        literals = [item.value for item in node.items if isinstance(item, Literal)]
        if len(literals) == len(node.items) and node.needle.kind in _LOOKED_UP:
            return needle.is_in(literals)
        found = pl.any_horizontal(
            [self._comparison(Comparator.EQUAL, node.needle, item) for item in node.items]
        )
        parts = [node.needle, *(item for item in node.items if not isinstance(item, Literal))]
        return pl.when(pl.all_horizontal([self.lower(part).is_not_null() for part in parts])).then(found)


_TEXTS: tuple[type[pl.DataType], ...] = (pl.String, pl.Categorical, pl.Enum)
_FITTING: dict[AttributeType, Callable[[pl.DataType], bool]] = {
    AttributeType.STRING: lambda dtype: dtype in _TEXTS,
    AttributeType.INT: lambda dtype: dtype.is_integer(),
    AttributeType.DOUBLE: lambda dtype: dtype.is_float() or dtype.is_integer(),
    AttributeType.BOOL: lambda dtype: dtype == pl.Boolean,
    AttributeType.TIMESTAMP: lambda dtype: dtype == pl.Datetime,
    AttributeType.STRINGS: lambda dtype: isinstance(dtype, pl.List) and dtype.inner in (*_TEXTS, pl.Null),
}


def _fits(kind: AttributeType, dtype: pl.DataType) -> bool:
    return dtype == pl.Null or _FITTING[kind](dtype)


def _narrow(wide: pl.Expr) -> pl.Expr:
    """Return 128-bit ints as 64-bit ones, null where they do not fit."""
    return wide.cast(pl.Int64, strict=False)


def _opposite(wide: pl.Expr) -> pl.Expr:
    # Polars has no sign for 128 bits.
    return pl.lit(0, dtype=_WIDE) - wide


def _quotient(dividend: pl.Expr, divisor: pl.Expr) -> pl.Expr:
    wide, by = dividend.cast(_WIDE), divisor.cast(_WIDE)
    size = wide.abs() // by.abs()
    return _narrow(pl.when((wide < 0) == (by < 0)).then(size).otherwise(_opposite(size)))


def _remainder(dividend: pl.Expr, divisor: pl.Expr) -> pl.Expr:
    """Return the remainder; where the quotient is beyond 64 bits, the library errs on the remainder too."""
    wide, by = dividend.cast(_WIDE), divisor.cast(_WIDE)
    size = wide.abs() % by.abs()
    beyond = (dividend == LOWEST_INT) & (divisor == -1)
    return pl.when(beyond.not_()).then(_narrow(pl.when(wide < 0).then(_opposite(size)).otherwise(size)))


_INT_OPERATIONS: dict[Operation, Callable[[pl.Expr, pl.Expr], pl.Expr]] = {
    Operation.PLUS: lambda left, right: _narrow(left.cast(_WIDE) + right.cast(_WIDE)),
    Operation.MINUS: lambda left, right: _narrow(left.cast(_WIDE) - right.cast(_WIDE)),
    Operation.TIMES: lambda left, right: _narrow(left.cast(_WIDE) * right.cast(_WIDE)),
    Operation.DIVIDED: _quotient,
    Operation.REMAINDER: _remainder,
}
_DOUBLE_OPERATIONS: dict[Operation, Callable[[pl.Expr, pl.Expr], pl.Expr]] = {
    Operation.PLUS: lambda left, right: left + right,
    Operation.MINUS: lambda left, right: left - right,
    Operation.TIMES: lambda left, right: left * right,
    Operation.DIVIDED: lambda left, right: left / right,
}
_COMPARE: dict[Comparator, Callable[[pl.Expr, pl.Expr], pl.Expr]] = {
    Comparator.EQUAL: lambda left, right: left == right,
    Comparator.UNEQUAL: lambda left, right: left != right,
    Comparator.LESS: lambda left, right: left < right,
    Comparator.AT_MOST: lambda left, right: left <= right,
    Comparator.GREATER: lambda left, right: left > right,
    Comparator.AT_LEAST: lambda left, right: left >= right,
}
_RELATE: dict[TextRelation, Callable[[pl.Expr, pl.Expr], pl.Expr]] = {
    TextRelation.STARTS_WITH: lambda text, part: text.str.starts_with(part),
    TextRelation.ENDS_WITH: lambda text, part: text.str.ends_with(part),
    TextRelation.CONTAINS: lambda text, part: text.str.contains(part, literal=True),
}
