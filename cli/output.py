"""What the command prints: sentences for people, one JSON document for programs."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.errors import AnalysisError


def say(sentence: str) -> None:
    """Print a line for people, at once."""
    sys.stdout.write(sentence + "\n")
    sys.stdout.flush()


def write_json(document: Mapping[str, Any], target: str) -> None:
    """Write one JSON document to a file, or to stdout for ``-``."""
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    if target == "-":
        sys.stdout.write(text)
    else:
        write_text(Path(target), text)


def write_text(path: Path, text: str) -> None:
    """Write a file.

    Raises:
        AnalysisError: It cannot be written.
    """
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise AnalysisError(f"{path} cannot be written: {error.strerror or error}.", path=str(path)) from None


def read_json(path: Path) -> Mapping[str, Any]:
    """Return the JSON object of a file.

    Raises:
        AnalysisError: There is none.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise AnalysisError(f"{path} cannot be read as JSON: {error}.", path=str(path)) from None
    if not isinstance(found, dict):
        raise AnalysisError(f"{path} holds no JSON object.", path=str(path))
    return found


def names(listed: str) -> list[str] | None:
    """Return the names of a comma-separated list; none if it is empty."""
    return [name.strip() for name in listed.split(",") if name.strip()] or None


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return rows as aligned columns under a header."""
    lines = [header, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
