"""Runs the code of a notebook without Jupyter: cell after cell in one namespace, with what each prints and gives."""

import ast
import io
from collections.abc import Iterable
from contextlib import redirect_stdout


def run_cells(sources: Iterable[str]) -> list[tuple[str, str | None]]:
    """Return what each cell prints, and how its last expression shows itself; ``None`` without one."""
    names: dict[str, object] = {"__name__": "__main__"}
    return [_run(source, f"<cell {number}>", names) for number, source in enumerate(sources, start=1)]


def _run(source: str, where: str, names: dict[str, object]) -> tuple[str, str | None]:
    statements = ast.parse(source, where).body
    last = statements.pop() if statements and isinstance(statements[-1], ast.Expr) else None
    printed, value = io.StringIO(), None
    with redirect_stdout(printed):
        exec(compile(ast.Module(statements, []), where, "exec"), names)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), where, "eval"), names)
    return printed.getvalue(), None if value is None else repr(value)
