"""Random well-typed rules as text, and random rows for them."""

import json
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from experiments.rules import AttributeType
from tests.experiments.rules.library import ATTRIBUTES

# Words where engines could differ: composed and decomposed letters, code points around the surrogates, line ends.
TEXTS = (
    "",
    "a",
    "b",
    "ab",
    "gold",
    "Gold",
    "é",
    "e\u0301",
    "\uffff",
    "\U00010000",
    "😀a",
    "a\n",
    "\n",
    "\u017f",
    "K",
)
INTS = (0, 1, -1, 2, 3, -7, 18, 1 << 62, (1 << 63) - 1, -(1 << 63))
DOUBLES = (0.0, -0.0, 1.0, 1.5, -2.25, 0.1, 1e308, -1e308, 5e-324)
TIMES = tuple(
    datetime(2024, 1, 1, tzinfo=UTC) + delta
    for delta in (
        timedelta(),
        timedelta(microseconds=1),
        timedelta(days=-30000),
        timedelta(days=1, seconds=5),
    )
)
PATTERNS = (
    "a",
    "^a",
    "a$",
    "^$",
    "[^a]",
    r"\w",
    r"^\s*$",
    ".",
    "(?:ab|b)?a",
    "b+?",
    "o{1,2}l",
    r"\bgold\b",
    "é",
)
KINDS = tuple(AttributeType)


@st.composite
def row(draw: st.DrawFn) -> dict[str, object]:
    """Return a row in which now and then an attribute is null or missing."""
    values: dict[AttributeType, st.SearchStrategy[object]] = {
        AttributeType.STRING: st.sampled_from(TEXTS),
        AttributeType.INT: st.integers(-3, 20) | st.sampled_from(INTS),
        AttributeType.DOUBLE: st.sampled_from((*DOUBLES, float("nan"), float("inf"), float("-inf"))),
        AttributeType.BOOL: st.booleans(),
        AttributeType.TIMESTAMP: st.sampled_from(TIMES),
        AttributeType.STRINGS: st.lists(st.sampled_from(TEXTS), max_size=3),
    }
    drawn: dict[str, object] = {}
    for name, kind in ATTRIBUTES.items():
        fate = draw(st.integers(0, 19))
        if fate < 18:
            drawn[name] = draw(values[kind])
        elif fate == 18:
            drawn[name] = None
    return drawn


def literal(kind: AttributeType) -> st.SearchStrategy[str]:
    match kind:
        case AttributeType.STRING:
            return st.sampled_from(TEXTS).map(lambda text: json.dumps(text, ensure_ascii=False))
        case AttributeType.INT:
            return (st.integers(-3, 20) | st.sampled_from(INTS)).map(str)
        case AttributeType.DOUBLE:
            return st.sampled_from(DOUBLES).map(repr)
        case AttributeType.BOOL:
            return st.sampled_from(("true", "false"))
        case _:
            return st.sampled_from(TIMES).map(lambda time: f'timestamp("{time.isoformat()}")')


def leaf(kind: AttributeType) -> st.SearchStrategy[str]:
    names = st.sampled_from([name for name, of in ATTRIBUTES.items() if of is kind])
    return names if kind is AttributeType.STRINGS else names | literal(kind)


@st.composite
def term(draw: st.DrawFn, kind: AttributeType, depth: int) -> str:
    """Return an expression of a kind, nested at most so deep."""
    if depth == 0 or kind is AttributeType.STRINGS or draw(st.integers(0, 3)) == 0:
        return draw(leaf(kind))

    def of(inner: AttributeType) -> str:
        return draw(term(inner, depth - 1))

    if kind is AttributeType.BOOL and draw(st.integers(0, 5)):
        return draw(statement(depth))
    if draw(st.booleans()) or kind in {AttributeType.STRING, AttributeType.TIMESTAMP, AttributeType.BOOL}:
        return f"({of(AttributeType.BOOL)} ? {of(kind)} : {of(kind)})"
    if kind is AttributeType.INT:
        return draw(
            st.sampled_from(
                (
                    f"({of(kind)} {draw(st.sampled_from('+-*/%'))} {of(kind)})",
                    f"-({of(kind)})",
                    f"size({of(draw(st.sampled_from((AttributeType.STRING, AttributeType.STRINGS))))})",
                )
            )
        )
    return draw(
        st.sampled_from(
            (
                f"({of(kind)} {draw(st.sampled_from('+-*/'))} {of(kind)})",
                f"-({of(kind)})",
                f"double({of(AttributeType.INT)})",
            )
        )
    )


@st.composite
def statement(draw: st.DrawFn, depth: int) -> str:
    """Return an expression that is true or false."""

    def of(inner: AttributeType) -> str:
        return draw(term(inner, depth - 1))

    truth, words = AttributeType.BOOL, AttributeType.STRING
    kind = draw(st.sampled_from([kind for kind in KINDS if kind is not AttributeType.STRINGS]))
    pattern = json.dumps(draw(st.sampled_from(PATTERNS)), ensure_ascii=False)
    relation = draw(st.sampled_from(("startsWith", "endsWith", "contains")))
    match draw(st.integers(0, 9)):
        case 0 | 1:
            sign = draw(st.sampled_from(("==", "!=", "<", "<=", ">", ">=")))
            text = f"({of(kind)} {sign} {of(kind)})"
        case 2 | 3:
            text = f"({of(truth)} && {of(truth)})"
        case 4 | 5:
            text = f"({of(truth)} || {of(truth)} || {of(truth)})"
        case 6:
            text = f"!({of(truth)})"
        case 7:
            items = [
                of(kind) if draw(st.booleans()) else draw(literal(kind))
                for _ in range(draw(st.integers(0, 3)))
            ]
            text = (
                f"({of(kind)} in [{', '.join(items)}])" if draw(st.booleans()) else f"({of(words)} in tags)"
            )
        case 8:
            text = (
                f"{of(words)}.{relation}({of(words)})"
                if draw(st.booleans())
                else f"{of(words)}.matches({pattern})"
            )
        case _:
            text = f"has(attributes.{draw(st.sampled_from(sorted(ATTRIBUTES)))})"
    return text
