"""Options that the commands of `troth models` share."""

from pathlib import Path
from typing import Annotated

import typer

DEFAULT_TASK = "replenish"

Store = Annotated[Path, typer.Option(help="Folder of the MLflow store.")]
Programme = Annotated[str, typer.Option(help="Loyalty programme.")]
OneTask = Annotated[
    str, typer.Option(help="What the models are for: replenish, win_back, discover, redeem, or actions.")
]
AnyTask = Annotated[str, typer.Option(help="Only the models of this task; of all tasks if empty.")]
Json = Annotated[str, typer.Option(help="Write one JSON document to this file, or to stdout for '-'.")]
