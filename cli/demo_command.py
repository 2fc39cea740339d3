"""`troth demo`: the whole loop on real data."""

from pathlib import Path
from typing import Annotated

import typer

from cli.output import names


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

    run_demo(folder, names(models), trips)
