"""Bringing registered models to a server, and running one in the user's own process."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from training.tracking import PulledModel


def pull_models(
    store: str | Path = "mlflow",
    *,
    programme: str = "default",
    task: str = "",
    alias: str = "champion",
    target: str | Path = "models",
) -> "list[PulledModel]":
    """Copy registered bundles to where a server reads them; a running one swaps to them by itself.

    Args:
        store: Folder of the MLflow store.
        programme: Loyalty programme.
        task: Only the model of this task; of all tasks if empty.
        alias: Which version: the one with this alias.
        target: Folder to fill: what ``models`` names in the server's configuration.

    Returns:
        One entry per model, with ``version``, ``link`` and ``manifest``.

    Raises:
        RegistryError: There is no such model, or a bundle cannot be copied or is damaged.
    """
    from training.tracking import pull_models as pull

    return pull(Path(store), programme, task, alias, target_dir=Path(target))


@dataclass(frozen=True, slots=True)
class RunningServer:
    """A server in this process.

    Attributes:
        address: Host and port of its gRPC API.
        metrics_address: Host and port of its metrics.
    """

    address: str
    metrics_address: str


@contextmanager
def serve(
    config: str | Path = "troth.toml",
    *,
    host: str | None = None,
    port: int | None = None,
    metrics_port: int | None = None,
    replay: bool = False,
) -> Iterator[RunningServer]:
    """Serve recommendations, assignments and outcome logging while a ``with`` block runs.

    Args:
        config: Configuration file (TOML).
        host: Address to bind; the configured one if not given.
        port: gRPC port; the configured one if not given, any free one if 0.
        metrics_port: Port of the metrics; the configured one if not given, any free one if 0.
        replay: Decide as of each request's own time. For replays of history only.

    Yields:
        The running server. It is drained when the block ends, which takes the configured ``drain_wait``.

    Raises:
        DefinitionError: Configuration, catalogue or experiments cannot be used; all problems are named.
        TrothError: The server cannot start.
    """
    from server.app import build
    from server.config import load_config, with_overrides

    settings = with_overrides(
        load_config(Path(config)), host=host, port=port, metrics_port=metrics_port, replay=replay or None
    )
    app = build(settings)
    try:
        app.start()
        bound = settings.server.host
        yield RunningServer(f"{bound}:{app.port}", f"{bound}:{app.metrics_port}")
    finally:
        app.stop()
