"""Options that several commands share, how an option's text is read, and how a wrong one is reported."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from typer.core import TyperCommand

from experiments.errors import OptionError

Value = TypeVar("Value")


class OptionCommand(TyperCommand):
    """A command; what the function below it finds wrong with its options is wrong usage."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command.

        Raises:
            BadParameter: Its options cannot be used.
        """
        try:
            return super().invoke(ctx)
        except OptionError as error:
            raise typer.BadParameter(error.message, ctx=ctx, param_hint=error.option or None) from None


class CommandGroup(typer.Typer):
    """The commands of a noun."""

    def command(self, name: str | None = None, **options: Any) -> Callable[[Any], Any]:
        """Return the decorator that adds a command."""
        return super().command(name, **{"cls": OptionCommand, **options})


DEFAULT_LOG = Path("troth.db")
JsonOption = Annotated[str, typer.Option(help="Write one JSON document to this file, or to stdout for '-'.")]
ProgrammeOption = Annotated[str, typer.Option(help="Loyalty programme.")]
OneProgrammeOption = Annotated[
    str,
    typer.Option("--programme", help="The programme; not needed where the configuration has one only."),
]
ServerOption = Annotated[str, typer.Option(help="The server, as HOST:PORT.")]
LogConfigOption = Annotated[
    Path, typer.Option("--config", help="The server's configuration: names log and models.")
]
DEFAULT_CONFIG = Path("troth.toml")

DefinitionArgument = Annotated[Path, typer.Argument(help="YAML file with one experiment.")]
CatalogueArgument = Annotated[Path, typer.Argument(help="YAML file with one catalogue.")]

MemberColumnOption = Annotated[str, typer.Option(help="Column with member ids.")]
ValueColumnOption = Annotated[str, typer.Option(help="Column with values, at least 0.")]

StoreOption = Annotated[Path, typer.Option(help="Folder of the MLflow store.")]
NewStoreOption = Annotated[
    Path, typer.Option("--store", help="Folder of the MLflow store; made if there is none.")
]
DEFAULT_STORE = Path("mlflow")
TaskOption = Annotated[
    str, typer.Option(help="What the models are for: replenish, win_back, discover, redeem, or actions.")
]
AnyTaskOption = Annotated[
    str, typer.Option("--task", help="Only the models of this task; of all tasks if empty.")
]
DEFAULT_TASK = "replenish"

TrialOption = Annotated[
    Path, typer.Option("--data", help="Table of a trial, Parquet or CSV: one row per member.")
]
TreatmentColumnOption = Annotated[str, typer.Option(help="Column with the arm that each member got.")]
ControlOption = Annotated[str, typer.Option(help="The arm that the others are compared with.")]
OutcomeColumnOption = Annotated[str, typer.Option(help="Column with what came of it: a number, or 0 and 1.")]
MarginColumnOption = Annotated[
    str,
    typer.Option(help="Column with the money earned, before the arms' cost; decides in the outcome's place."),
]
FeaturesOption = Annotated[
    str,
    typer.Option(
        help="Columns known before the arm was drawn, separated by commas; every fitting column if empty."
    ),
]
PropensityColumnOption = Annotated[
    str,
    typer.Option(
        help="Column with the probability of the arm that each member got; the arms' shares if empty."
    ),
]
TrialMemberColumnOption = Annotated[
    str,
    typer.Option("--member-column", help="Column with member ids; members are numbered by row if empty."),
]
SharesOption = Annotated[
    list[str] | None,
    typer.Option("--share", help="ARM=SHARE that was planned, to check the arms' sizes; repeat it."),
]
LearnerOption = Annotated[
    str, typer.Option(help="Default learner: dr_ridge, r_ridge, x_ridge, t_linear or s_linear.")
]
ChallengersOption = Annotated[
    bool, typer.Option(help="Let boosted trees replace the default where their policy earns more.")
]
FoldsOption = Annotated[int, typer.Option(min=2, max=20, help="Folds of the cross-fitting.")]
SeedOption = Annotated[int, typer.Option(min=0, help="Seed of everything random.")]


def read_names(listed: str) -> list[str] | None:
    """Return the names of a comma-separated list; ``None`` if it is empty."""
    return [name.strip() for name in listed.split(",") if name.strip()] or None


def read_pairs(
    written: Iterable[str] | None, option: str, form: str, example: str, read: Callable[[str], Value]
) -> list[tuple[str, Value]]:
    """Return the pairs of texts such as ``mail=0.5``, split at the last equals sign.

    Args:
        written: The texts.
        option: The option that they were given with.
        form: What a text looks like, such as ``ARM=NUMBER``.
        example: A right one.
        read: Reads what is right of the sign; a ``ValueError`` means that it cannot.

    Returns:
        The pairs, in the order of the texts.

    Raises:
        BadParameter: A text is not such a pair.
    """
    pairs = []
    for text in written or ():
        name, _, value = text.rpartition("=")
        try:
            found = read(value) if name.strip() else None
        except ValueError:
            found = None
        if found is None:
            raise typer.BadParameter(f"{text!r} is not {form}, such as {example}.", param_hint=option)
        pairs.append((name.strip(), found))
    return pairs


def read_amount(text: str) -> float:
    """Return a number of at least 0.

    Raises:
        ValueError: It is not one.
    """
    amount = float(text)
    if not amount >= 0:
        raise ValueError(text)
    return amount


def read_shares(written: list[str] | None) -> dict[str, float] | None:
    """Return planned shares by arm; ``None`` without any.

    Raises:
        BadParameter: A text is not ``ARM=SHARE``.
    """
    return dict(read_pairs(written, "--share", "ARM=NUMBER", "mail=0.5", read_amount)) or None
