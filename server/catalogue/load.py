"""Reading and writing catalogues as YAML."""

from pathlib import Path

import yaml
from pydantic import ValidationError

from experiments.definition.problems import problems_of
from experiments.definition.reading import read_document
from experiments.errors import DefinitionError, Problem
from server.catalogue.model import Catalogue

_PATTERN_WORDS = {
    r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$": (
        "must consist of letters, digits and . _ : -, start with a letter or digit and have at most 128 characters"
    ),
    r"^[A-Z]{3}$": "must be a currency code such as USD",
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
    try:
        return Catalogue.model_validate(document)
    except ValidationError as error:
        raise DefinitionError(str(path), problems_of(error, Catalogue, _PATTERN_WORDS)) from None


def dump_catalogue(catalogue: Catalogue) -> str:
    """Return the catalogue as YAML that ``load_catalogue`` reads back to an equal one."""
    document = catalogue.model_dump(mode="json", exclude_defaults=True)
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=100)
