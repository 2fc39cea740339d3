"""The pages for maintainers name files that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [ROOT / "CONTRIBUTING.md", ROOT / "README.md", *(ROOT / "docs").rglob("*.md")], key=lambda page: page.name
)
FOLDERS = ("bench", "cli", "docs", "experiments", "protos", "server", "tests", "training", "troth")
_NAMED = re.compile(rf"`((?:{'|'.join(FOLDERS)})/[\w./-]*)`")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_that_a_page_names_exist(page: Path) -> None:
    """Every file and folder of the repository that a page names in code font is there."""
    named = set(_NAMED.findall(page.read_text(encoding="utf-8")))

    assert not sorted(name for name in named if not (ROOT / name).exists())


def test_short_names_of_the_architecture_are_ends_of_paths() -> None:
    """Tables of docs/architecture.md leave out the folder that their heading names; each short name is one file's, at least."""
    paths = [str(path.relative_to(ROOT)) for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([\w/]+\.py)`", text))

    assert len(named) > 100
    assert not sorted(name for name in named if not any(f"/{path}".endswith(f"/{name}") for path in paths))


def test_the_architecture_names_most_of_the_house() -> None:
    """Of the files of every package most stand in docs/architecture.md, so that a reader finds a behaviour in one step."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    for package in ("server", "experiments", "training"):
        files = [path for path in (ROOT / package).rglob("*.py") if path.name != "__init__.py"]
        missing = [path for path in files if path.name not in text]

        assert len(missing) < 0.4 * len(files), sorted(str(path.relative_to(ROOT)) for path in missing)
