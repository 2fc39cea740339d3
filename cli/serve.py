"""`troth serve`: the gRPC server."""

import os
from pathlib import Path
from typing import Annotated

import typer

from cli.output import say


def serve(
    config: Annotated[Path, typer.Option(help="Configuration file (TOML).")] = Path("troth.toml"),
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="gRPC port instead of the configured one; 0 = any free."),
    ] = None,
    metrics_port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Metrics port instead of the configured one; 0 = any free."),
    ] = None,
    host: Annotated[
        str | None, typer.Option(help="Address to bind instead of the configured one (default: loopback).")
    ] = None,
    replay: Annotated[
        bool,
        typer.Option("--replay", help="Decide as of each request's own time. For replays of history only."),
    ] = False,
) -> None:
    """Serve recommendations, assignments and outcome logging until SIGTERM or Ctrl-C."""
    # Before gRPC is loaded: its own complaints about a port in use would stand beside our sentence.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    from server.app import serve as run
    from server.config import load_config, with_overrides

    settings = with_overrides(
        load_config(config), host=host, port=port, metrics_port=metrics_port, replay=replay or None
    )
    address = settings.server.host
    run(
        settings,
        lambda bound, metrics: say(f"Troth answers on {address}:{bound}, metrics on {address}:{metrics}."),
    )
