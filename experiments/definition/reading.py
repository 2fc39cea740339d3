"""Reads the YAML documents of definition files."""

from collections.abc import Callable, Iterator
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
    except RecursionError:
        return None, "is nested too deeply"
    except OSError as error:
        return None, f"cannot be read: {error.strerror}"
    return document, "" if document is not None else "the file is empty"


def _syntax_message(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    where = f" in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    said = ", ".join(part for part in (error.context, error.problem) if part)
    return f"is not valid YAML{where}: {' '.join(said.split())}"


class _Loader(yaml.SafeLoader):
    """The safe loader, except that a key may be there only once, and that ``22:00`` is text and not the number 1320."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key in _written_keys(node):
            if key.value in seen:
                problem = f"the key {key.value!r} is there twice"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


def _marked(construct: Callable[[Any, yaml.ScalarNode], Any]) -> Callable[[_Loader, yaml.ScalarNode], Any]:
    """Return the constructor with the place of the value in its complaints."""

    def constructed(loader: _Loader, node: yaml.ScalarNode) -> Any:
        try:
            return construct(loader, node)
        except ValueError as error:
            raise yaml.constructor.ConstructorError(None, None, str(error), node.start_mark) from None

    return constructed


def _decimal(construct: Callable[[Any, yaml.ScalarNode], Any]) -> Callable[[Any, yaml.ScalarNode], Any]:
    """Return the constructor of numbers without those that YAML 1.1 counts by sixties."""
    return lambda loader, node: node.value if ":" in node.value else construct(loader, node)


_Loader.add_constructor("tag:yaml.org,2002:int", _marked(_decimal(_Loader.construct_yaml_int)))
_Loader.add_constructor("tag:yaml.org,2002:float", _marked(_decimal(_Loader.construct_yaml_float)))
_Loader.add_constructor("tag:yaml.org,2002:timestamp", _marked(_Loader.construct_yaml_timestamp))


def _written_keys(node: yaml.MappingNode) -> Iterator[yaml.ScalarNode]:
    # A merge key (<<) may bring keys that the mapping then overrides: that is its purpose.
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
            yield key
