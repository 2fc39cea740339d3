"""What the pages show of Python is what comes out: docs/python.md, the notebook, the README's example."""

import doctest
import json
import re
from pathlib import Path
from typing import Any

import pytest

import troth
from tests.troth.notebook import run_cells

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")


def test_the_examples_of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every example of docs/python.md gives what is printed below it."""
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```pycon\n(.*?)^```$", PAGE, flags=re.MULTILINE | re.DOTALL)
    examples = doctest.DocTestParser().get_doctest("\n".join(blocks), {}, "python.md", "python.md", 0)
    said: list[str] = []
    found = doctest.DocTestRunner(verbose=False).run(examples, out=said.append)

    assert found.attempted > 20
    assert not found.failed, "".join(said)


def test_the_page_has_every_name() -> None:
    """Each exported function and error is explained on the page."""
    for name in troth.__all__:
        assert re.search(rf"`{name}\b", PAGE), name


def test_the_notebook_gives_what_it_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its cells run from top to bottom in an empty folder, and print what the notebook has below them."""
    monkeypatch.chdir(tmp_path)
    notebook = json.loads((ROOT / "docs" / "troth.ipynb").read_text(encoding="utf-8"))
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert run_cells("".join(cell["source"]) for cell in cells) == [shown(cell) for cell in cells]


def shown(cell: dict[str, Any]) -> tuple[str, str | None]:
    """Return what is printed below a cell, and its value."""
    printed, value = "", None
    for output in cell["outputs"]:
        if output["output_type"] == "stream":
            printed += "".join(output["text"])
        else:
            value = "".join(output["data"]["text/plain"])
    return printed, value


def test_the_readmes_example(capsys: pytest.CaptureFixture[str]) -> None:
    """The data scientist's table of the README gets a verdict and a reason."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", readme, flags=re.MULTILINE | re.DOTALL)
    (example,) = [block for block in blocks if "import troth\n" in block]
    exec(example, {})

    assert capsys.readouterr().out.startswith("ship new is better on bought")
