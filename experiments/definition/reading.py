"""Reads the YAML documents of definition files."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from experiments.errors import Problem


def definition_files(path: Path) -> tuple[list[Path], list[Problem]]:
    """Return the YAML files that a path stands for, ordered by name, and what is wrong with the path.

    Args:
        path: A file, or a folder of ``*.yaml`` files.
    """
    if not path.exists():
        return [], [Problem("", "there is no such file or folder")]
    if not path.is_dir():
        return [path], []
    unread = [Problem(file.name, "must end in .yaml to be read") for file in sorted(path.glob("*.yml"))]
    return sorted(path.glob("*.yaml")), unread


def read_document(file: Path) -> tuple[Any, str]:
    """Return the one document of a YAML file and what is wrong with it, which is empty if nothing is."""
    try:
        document = yaml.load(file.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 a SafeLoader
    except yaml.MarkedYAMLError as error:
        return None, _syntax_message(error)
    except (yaml.YAMLError, UnicodeDecodeError, ValueError) as error:
        return None, f"is not a UTF-8 text file in YAML: {' '.join(str(error).split())}"
    except OSError as error:
        return None, f"cannot be read: {error.strerror}"
    return document, "" if document is not None else "the file is empty"


def _syntax_message(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    where = f" in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    said = ", ".join(part for part in (error.context, error.problem) if part)
    return f"is not valid YAML{where}: {' '.join(said.split())}"


class _Loader(yaml.SafeLoader):
    """The safe loader, except that a key may be there only once."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key in _written_keys(node):
            if key.value in seen:
                problem = f"the key {key.value!r} is there twice"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


def _written_keys(node: yaml.MappingNode) -> Iterator[yaml.ScalarNode]:
    # A merge key (<<) may bring keys that the mapping then overrides: that is its purpose.
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
            yield key
