"""`troth explain`: why a decision was made."""

from pathlib import Path
from typing import Annotated

import typer

from cli.output import write_json


def explain(
    decision_id: Annotated[str, typer.Argument(help="The decision, as the answer named it.")],
    config: Annotated[Path, typer.Option(help="The server's configuration: names log and models.")] = Path(
        "troth.toml"
    ),
    programme: Annotated[
        str, typer.Option(help="The programme; not needed where the configuration has one only.")
    ] = "",
    everything: Annotated[
        bool, typer.Option("--all", help="List every candidate, not only the next best and examples.")
    ] = False,
    json: Annotated[
        str,
        typer.Option(
            help="Write the answer of the RPC ExplainDecision as JSON to this file, or to stdout for '-'."
        ),
    ] = "",
) -> None:
    """Say why a decision was made: what its scores were made of, and which gate removed what was not chosen."""
    from cli.explained import print_explained
    from cli.options import chosen_programme
    from server.config import load_config
    from server.log_replay import open_log_replay

    found = load_config(config)
    chosen = chosen_programme(config, found.programmes, programme)
    with open_log_replay(found, chosen) as log:
        replayed = log.handler.replay(chosen, decision_id)
        if json:
            from google.protobuf.json_format import MessageToDict

            from server.api.recommendation import explain_response

            message = explain_response(replayed)
            write_json(MessageToDict(message, preserving_proto_field_name=True), json)
        if json != "-":
            print_explained(replayed, everything=everything)
