"""The one parser of ``NAME=VALUE``, and how options that cannot be used are reported."""

import pytest
import typer
from typer.testing import CliRunner

from cli.options import CommandGroup, read_amount, read_names, read_pairs, read_shares
from experiments.errors import OptionError


def test_pairs_are_split_at_the_last_sign() -> None:
    """An expression may hold signs of its own; spaces around it do not count, and the order stays."""
    pairs = read_pairs([" tier == 'gold' =mail", "x=y=z"], "--rule", "EXPRESSION=ARM", "a=b", str)

    assert pairs == [("tier == 'gold'", "mail"), ("x=y", "z")]
    assert read_pairs(None, "--rule", "EXPRESSION=ARM", "a=b", str) == []


@pytest.mark.parametrize("text", ["mail", "=3", " =3", "mail=", "mail=x", "mail=-1", "mail=nan"])
def test_what_is_not_a_pair_is_wrong_usage(text: str) -> None:
    """The message quotes the text and shows a right one."""
    with pytest.raises(typer.BadParameter, match=r"is not ARM=NUMBER, such as mail=0\.5") as caught:
        read_pairs([text], "--share", "ARM=NUMBER", "mail=0.5", read_amount)

    assert repr(text) in str(caught.value)


def test_nothing_is_not_an_empty_list() -> None:
    """Options that are not given are ``None``, so that the job's own default holds."""
    assert read_names("") is None
    assert read_names(" a, b,") == ["a", "b"]
    assert read_shares(None) is None
    assert read_shares(["mail=0.5", "none=0.5"]) == {"mail": 0.5, "none": 0.5}


def test_a_function_that_refuses_its_options_is_wrong_usage() -> None:
    """What a package below says of its options ends with 2, the command's usage and the option's name."""
    app = CommandGroup()

    @app.command()
    def refuse() -> None:
        raise OptionError("Give one of them.", "--first")

    done = CliRunner().invoke(app, [])
    assert done.exit_code == 2
    assert "Usage: refuse" in done.output
    assert "--first: Give one of them." in " ".join(done.output.split())
