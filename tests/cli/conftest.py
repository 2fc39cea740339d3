import pytest

from tests.cli.in_process import Command, Ran, run


@pytest.fixture
def troth(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Return ``troth …`` as a function that runs in this process."""

    def command(*arguments: str) -> Ran:
        return run(monkeypatch, capsys, *arguments)

    return command
