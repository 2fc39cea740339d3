"""Running the command in this process, which saves seconds of start."""

import sys
from collections.abc import Callable
from typing import NamedTuple

import pytest

from cli.main import main


class Ran(NamedTuple):
    """What a command gave back."""

    code: int
    out: str
    err: str


Command = Callable[..., Ran]
"""A command that takes its arguments and gives back what it said."""


def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> Ran:
    """Run ``troth …``; anything but an end or an exit is an error of the command."""
    monkeypatch.setattr(sys, "argv", ["troth", *arguments])
    code: object = 0
    try:
        main()
    except SystemExit as error:
        code = error.code
    captured = capsys.readouterr()
    return Ran(int(str(code or 0)), captured.out, captured.err)
