r"""Regular expressions that mean the same in RE2 (CEL's), in Python's ``re`` and in polars' Rust engine.

The engines differ in what ``$``, ``\w``, ``\s`` and ``\b`` mean, in flags and in quantifier details. So a pattern is
read token by token and written anew for each engine, with every difference spelt out; what has no common meaning is
refused by name. Supported: literals, ``.``, ``^ $ \A \z \b``, ``\d \w \s`` (ASCII, as in RE2) and their opposites,
classes with ranges, groups, ``|``, ``* + ? {n} {n,} {n,m}`` and their lazy forms.

A repeat around a group that itself repeats or branches is refused too: Python's engine backtracks, and such patterns
can take exponential time on one text.
"""

import re
import string
from dataclasses import dataclass, field

_QUANTIFIER = re.compile(r"(?:[*+?]|\{[0-9]+(?:,[0-9]*)?\})\??")
_CLASSES = {"d": "0-9", "w": "0-9A-Za-z_", "s": r"\t\n\f\r "}
_CONTROLS = {"t": r"\t", "n": r"\n", "r": r"\r", "f": r"\f", "v": r"\v"}
_SPECIAL = frozenset(r"\.+*?()|[]{}^$#&-~")


class PatternError(ValueError):
    """A pattern uses what has no common meaning in all engines."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """A regular expression, as written and as each engine needs it.

    Attributes:
        text: As it stands in the rule, in RE2's syntax.
        python: For ``re`` with the flag ``re.ASCII``.
        rust: For polars.
    """

    text: str
    python: str
    rust: str


def read_pattern(text: str) -> Pattern:
    """Return a pattern for all engines.

    Args:
        text: A pattern that RE2 accepts.

    Raises:
        PatternError: The pattern uses something that is not supported, named in the message.
    """
    reader = _Reader(text)
    reader.alternatives()
    if reader.position < len(text):
        raise PatternError("a ) closes nothing")
    return Pattern(text, "".join(reader.python), "".join(reader.rust))


@dataclass(slots=True)
class _Reader:
    text: str
    position: int = 0
    python: list[str] = field(default_factory=list)
    rust: list[str] = field(default_factory=list)

    def write(self, python: str, rust: str | None = None) -> None:
        self.python.append(python)
        self.rust.append(python if rust is None else rust)

    def next(self) -> str:
        if self.position >= len(self.text):
            raise PatternError("the pattern ends too early")
        self.position += 1
        return self.text[self.position - 1]

    def at(self, sign: str) -> bool:
        return self.text.startswith(sign, self.position)

    def alternatives(self) -> bool:
        """Read up to a closing bracket or the end; return whether anything in it repeats or branches."""
        branches = False
        while self.position < len(self.text) and not self.at(")"):
            if self.at("|"):
                self.position += 1
                self.write("|")
                branches = True
            else:
                branches |= self.repeated()
        return branches

    def repeated(self) -> bool:
        """Read one atom with its quantifier; return whether it repeats or branches."""
        can_repeat, branches = self.atom()
        quantifier = _QUANTIFIER.match(self.text, self.position)
        if quantifier is None:
            return branches
        sign = quantifier.group()
        self.position = quantifier.end()
        if not can_repeat:
            raise PatternError(f"the quantifier {sign} after something that has no width")
        if branches and sign.rstrip("?") not in {"", "{1}", "{0,1}"}:
            raise PatternError(f"the quantifier {sign} on a group that itself repeats or branches")
        if _QUANTIFIER.match(self.text, self.position):
            raise PatternError("one quantifier after another")
        self.write(sign)
        return True

    def atom(self) -> tuple[bool, bool]:
        """Read one atom; return whether it can repeat, and whether anything in it repeats or branches."""
        sign = self.next()
        match sign:
            case "(":
                return True, self.group()
            case "[":
                self.bracket()
            case "\\":
                return self.escape(), False
            case "^":
                self.write("^")
                return False, False
            case "$":
                self.write(r"\Z", r"\z")
                return False, False
            case ".":
                self.write(".")
            case "*" | "+" | "?":
                raise PatternError(f"the quantifier {sign} with nothing to repeat")
            case _:
                self.write(_quoted(sign))
        return True, False

    def group(self) -> bool:
        if self.at("?:"):
            self.position += 2
        elif self.at("?"):
            raise PatternError(
                "groups that begin with (? other than (?:, such as flags, names and look-arounds"
            )
        self.write("(?:")
        branches = self.alternatives()
        if self.position >= len(self.text):
            raise PatternError("a ( is never closed")
        self.position += 1
        self.write(")")
        return branches

    def escape(self) -> bool:
        sign = self.next()
        if sign.lower() in _CLASSES:
            self.write(f"[{'^' if sign.isupper() else ''}{_CLASSES[sign.lower()]}]")
        elif sign == "A":
            self.write(r"\A")
        elif sign == "z":
            self.write(r"\Z", r"\z")
        elif sign == "b":
            self.write(r"\b", r"(?-u:\b)")
        else:
            self.write(_escaped(sign))
        return sign not in {"A", "z", "b"}

    def bracket(self) -> None:
        negated = self.at("^")
        self.position += negated
        parts: list[str] = []
        while not parts or not self.at("]"):
            if self.at("[:"):
                raise PatternError("named classes such as [:alpha:]")
            parts.append(self.member())
        self.position += 1
        self.write(f"[{'^' if negated else ''}{''.join(parts)}]")

    def member(self) -> str:
        first = self.class_sign()
        if not self.at("-") or self.text.startswith("-]", self.position):
            return first
        self.position += 1
        last = self.class_sign()
        if len(first.lstrip("\\")) > 1 or len(last.lstrip("\\")) > 1:
            raise PatternError("a range from or to a class")
        return f"{first}-{last}"

    def class_sign(self) -> str:
        sign = self.next()
        if sign != "\\":
            return _quoted(sign)
        sign = self.next()
        if sign in _CLASSES:
            return _CLASSES[sign]
        if sign.lower() in _CLASSES:
            raise PatternError(f"\\{sign} inside square brackets")
        return _escaped(sign)


def _escaped(sign: str) -> str:
    if sign in _CONTROLS:
        return _CONTROLS[sign]
    if sign in string.punctuation:
        return _quoted(sign)
    raise PatternError(f"the escape \\{sign}")


def _quoted(sign: str) -> str:
    return f"\\{sign}" if sign in _SPECIAL else sign
