"""The command `troth`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from cli import (
    campaign,
    catalog,
    experiment,
    explain,
    member,
    models,
    plan,
    policy,
    replay,
    segment,
    serve,
    train,
)
from cli.options import CommandGroup, read_names
from experiments.errors import DomainError
from training.bundle import BundleError


def demo(
    folder: Annotated[Path, typer.Option("--dir", help="Folder for everything the demo makes.")] = Path(
        "demo"
    ),
    models: Annotated[
        str, typer.Option(help="Train only these models, separated by commas; all if empty.")
    ] = "",
    trips: Annotated[int, typer.Option(min=0, help="Replay only the first so many trips; 0 for all.")] = 0,
) -> None:
    """Run the whole loop on real data: train, serve, randomise, log, analyse; ends with a report."""
    from cli.demo.run import run_demo

    run_demo(folder, read_names(models), trips)


app = CommandGroup(
    name="troth",
    help="Experimentation and recommendation engine for loyalty programmes.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command("demo")(demo)
app.command("serve")(serve.serve)
app.command("explain")(explain.explain)
app.command("replay")(replay.replay)
app.command("plan")(plan.plan)
app.add_typer(catalog.app, name="catalog")
app.add_typer(segment.app, name="segment")
app.add_typer(train.app, name="train")
app.add_typer(models.app, name="models")
app.add_typer(experiment.app, name="experiment")
app.add_typer(policy.app, name="policy")
app.add_typer(campaign.app, name="campaign")
app.add_typer(member.app, name="member")


def main() -> None:
    """Run the command line: exit code 0 fine, 1 failed with one sentence, 2 usage."""
    try:
        app()
    except (DomainError, BundleError) as error:
        sys.stderr.write(f"troth: {error.message}\n")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.stderr.write("troth: interrupted\n")
        sys.exit(130)


if __name__ == "__main__":
    main()
