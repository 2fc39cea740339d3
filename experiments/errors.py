"""The errors of the domain, free of any transport.

Each class names one thing that a caller can do something about. ``reason`` is the stable code that crosses the
wire; ``metadata`` repeats every changing part of the message, so that programs need not parse sentences.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


class DomainError(Exception):
    """Base of all errors that say something to the user of Troth.

    Attributes:
        reason: Stable upper-case code of the error class.
        metadata: Changing parts of the message, as strings.
    """

    reason: ClassVar[str] = ""

    def __init__(self, message: str, **metadata: str) -> None:
        super().__init__(message)
        self.message = message
        self.metadata = metadata


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in an input.

    Attributes:
        path: Where, as a field path in the words of the input, for example ``variants[1].weight``.
        message: What is wrong and what would be right.
    """

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class InvalidInputError(DomainError):
    """An input breaks rules; all problems are named at once."""

    reason = "INVALID_INPUT"

    def __init__(self, message: str, problems: Sequence[Problem], **metadata: str) -> None:
        super().__init__(message, **metadata)
        self.problems = tuple(problems)


class DefinitionError(InvalidInputError):
    """A definition file (experiment, catalogue, configuration) cannot be used."""

    reason = "INVALID_DEFINITION"

    def __init__(self, source: str, problems: Sequence[Problem]) -> None:
        listing = "; ".join(str(problem) for problem in problems)
        super().__init__(f"{source}: {listing}", problems, source=source)


class AnalysisError(DomainError):
    """A table or log cannot be analysed as asked."""

    reason = "ANALYSIS_IMPOSSIBLE"


class OptionError(DomainError):
    """Options contradict each other, or one cannot be read.

    Attributes:
        option: The option at fault as the command line writes it, such as ``--effect``; empty if it is a combination.
    """

    reason = "INVALID_OPTION"

    def __init__(self, message: str, option: str = "", **metadata: str) -> None:
        super().__init__(message, **metadata)
        self.option = option
