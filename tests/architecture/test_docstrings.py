"""What docstrings must say."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("cli", "server", "training", "experiments", "troth")
GENERATED = ROOT / "troth" / "v1"
MANY = 3
"""So many parameters need explaining one by one."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def _public(tree: ast.Module) -> Iterator[tuple[str, Function]]:
    for node in tree.body:
        if isinstance(node, Function) and not node.name.startswith("_"):
            yield node.name, node
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            for inner in node.body:
                if isinstance(inner, Function) and not inner.name.startswith("_"):
                    yield f"{node.name}.{inner.name}", inner


def _parameters(function: Function) -> list[str]:
    arguments = function.args
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return [one.arg for one in named if one.arg not in {"self", "cls"}]


def _is_command(function: Function) -> bool:
    """Tell whether typer reads the function: the help texts of its options say what a docstring would."""
    decorated = any(
        "command" in ast.dump(one) or "callback" in ast.dump(one) for one in function.decorator_list
    )
    arguments = function.args
    annotations = [
        one.annotation for one in (*arguments.args, *arguments.kwonlyargs) if one.annotation is not None
    ]
    return decorated or any("Option" in ast.unparse(one) for one in annotations)


def _is_override(function: Function) -> bool:
    return any(isinstance(one, ast.Name) and one.id == "override" for one in function.decorator_list)


def _raises(function: Function) -> bool:
    """Tell whether the function itself raises an error that it names."""
    return any(isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) for node in ast.walk(function))


def _missing(function: Function) -> list[str]:
    text = ast.get_docstring(function) or ""
    if re.search(r"[Ss]ee ``\w+\.\w+``\.", text):
        return []
    arguments = text.partition("Args:\n")[2]
    missing = [
        name
        for name in _parameters(function)
        if not re.search(rf"^ +\**{name}\b.*:", arguments, re.MULTILINE)
    ]
    returns = function.returns
    gives = returns is not None and not (isinstance(returns, ast.Constant) and returns.value is None)
    # As in Google's guide, a summary that says what is returned needs no section of its own.
    says = re.match(r"(Return|Yield) ", text) or re.search(r"^(Returns|Yields):$", text, re.MULTILINE)
    if gives and not says:
        missing.append("Returns")
    if _raises(function) and "Raises:\n" not in text:
        missing.append("Raises")
    return missing


@pytest.mark.parametrize("package", PACKAGES)
def test_parameters_results_and_errors_are_documented(package: str) -> None:
    """A public function of three or more parameters documents each of them, what it returns and what it raises.

    Commands are left out, whose options have help texts; so is an implementation whose docstring refers to the method that it
    implements.
    """
    silent = {}
    for path in sorted((ROOT / package).rglob("*.py")):
        if path.is_relative_to(GENERATED):
            continue
        for name, function in _public(ast.parse(path.read_text(encoding="utf-8"))):
            if len(_parameters(function)) < MANY or _is_command(function) or _is_override(function):
                continue
            if missing := _missing(function):
                silent[f"{path.relative_to(ROOT)}:{function.lineno} {name}"] = missing

    assert not silent
