"""Reading and writing catalogues as YAML."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from experiments.definition.yaml_documents import problems_of, read_document
from experiments.errors import DefinitionError, Problem
from server.catalogue.base import CataloguePart
from server.catalogue.checks import catalogue_problems
from server.catalogue.model import Catalogue

_IDENTIFIER_WORDS = "must consist of letters, digits and . _ : -, start with a letter or digit and have at most 128 characters"
_PATTERN_WORDS = {
    r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$": _IDENTIFIER_WORDS,
    r"^([A-Za-z0-9][A-Za-z0-9._:-]{0,127})?$": _IDENTIFIER_WORDS,
    r"^[A-Z]{3}$": "must be a currency code such as USD",
    r"^([A-Z]{3})?$": "must be a currency code such as USD",
    r"^[a-z][a-z0-9_]{0,63}$": (
        "must consist of lower-case letters, digits and underscores, start with a letter and have at most 64 characters"
    ),
    r"^([01][0-9]|2[0-3]):[0-5][0-9]$": 'must be a time of day such as "21:30"',
}


def load_catalogue(path: Path) -> Catalogue:
    """Read the catalogue of one programme.

    Raises:
        DefinitionError: Anything is wrong; every problem is named.
    """
    if not path.is_file():
        raise DefinitionError(str(path), [Problem("", "there is no such file")])
    document, unreadable = read_document(path)
    if unreadable:
        raise DefinitionError(str(path), [Problem("", unreadable)])
    if not isinstance(document, dict):
        raise DefinitionError(str(path), [Problem("", "a catalogue must be a mapping of names to values")])
    return parse_catalogue(document, str(path))


def parse_catalogue(document: Mapping[str, Any], source: str) -> Catalogue:
    """Return the catalogue that a document describes.

    Args:
        document: Values by field.
        source: Where it comes from, for the message.

    Raises:
        DefinitionError: Anything is wrong; every problem is named.
    """
    try:
        catalogue = Catalogue.model_validate(document)
    except ValidationError as error:
        raise DefinitionError(source, part_problems(error, Catalogue)) from None
    problems = catalogue_problems(catalogue)
    if problems:
        raise DefinitionError(source, problems)
    return catalogue


def part_problems(error: ValidationError, model: type[CataloguePart]) -> list[Problem]:
    """Return what pydantic found wrong with a catalogue or a part of one, in the words of the document."""
    return problems_of(error, model, _PATTERN_WORDS)


def dump_catalogue(catalogue: Catalogue) -> str:
    """Return the catalogue as YAML that ``load_catalogue`` reads back to an equal one."""
    document = catalogue.model_dump(mode="json", exclude_defaults=True)
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=100)
