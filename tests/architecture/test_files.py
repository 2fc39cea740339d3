"""The shape of the repository."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = ("protos", "troth", "server", "training", "experiments", "cli", "tests", "bench")
GENERATED = ROOT / "troth" / "v1"
LONGEST_FILE = 500


def _ours() -> list[Path]:
    return [
        path
        for folder in FOLDERS
        for pattern in ("*.py", "*.proto")
        for path in (ROOT / folder).rglob(pattern)
        if not path.is_relative_to(GENERATED)
    ]


def test_no_file_is_too_long() -> None:
    """A file of ours has at most 500 lines, so that a reader can hold it."""
    lines = {path.relative_to(ROOT): len(path.read_text(encoding="utf-8").splitlines()) for path in _ours()}

    assert len(lines) > 50
    assert not {path: count for path, count in lines.items() if count > LONGEST_FILE}


def test_every_test_folder_is_a_package() -> None:
    """Each folder of tests has an ``__init__.py``; with one missing, pytest would import tests/server as server."""
    folders = {path.parent for path in (ROOT / "tests").rglob("*.py")}

    assert not {folder for folder in folders if not (folder / "__init__.py").is_file()}


def test_every_test_says_its_rule() -> None:
    """The docstring of each test states the rule that it checks."""
    import ast

    silent = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in (ROOT / "tests").rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
        and node.name.startswith("test_")
        and ast.get_docstring(node) is None
    ]

    assert not silent


def test_protos_are_clean_and_generated_code_is_fresh() -> None:
    """Buf has nothing to say, and troth/v1 is what the sources give."""
    done = subprocess.run(
        [sys.executable, "protos/check.py"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
