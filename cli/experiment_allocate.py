"""`troth experiment allocate`: tomorrow's weights of a bandit."""

from pathlib import Path
from typing import Annotated

import typer

from cli.output import say, table, write_json, write_text


def allocate(
    definition: Annotated[Path, typer.Argument(help="YAML file with one experiment.")],
    data: Annotated[Path | None, typer.Option(help="A table with one row per unit and its day.")] = None,
    log: Annotated[Path, typer.Option(help="The server's event log, without --data.")] = Path("troth.db"),
    out: Annotated[
        Path | None, typer.Option(help="Write the definition with the new weights, as its next revision.")
    ] = None,
    json: Annotated[
        str, typer.Option(help="Write the weights as JSON to this file, or to stdout for '-'.")
    ] = "",
) -> None:
    """Work out the next weights of a bandit experiment: each variant's chance to be the best."""
    import yaml

    from cli.analysis_source import Request, one_experiment, run_analysis
    from experiments.analysis.allocation import next_weights

    experiment = one_experiment(definition)
    result = run_analysis(experiment, Request(data=data, log=log))
    weights = next_weights(result)
    if json:
        write_json({"experiment_id": experiment.experiment_id, "weights": weights}, json)
    if out is not None:
        changed = experiment.model_dump(mode="json", exclude_defaults=True)
        changed |= {"revision": experiment.revision + 1}
        # A day in YAML is a day, not text.
        changed |= {name: getattr(experiment, name) for name in ("start_date", "end_date") if name in changed}
        for variant in changed["variants"]:
            variant["weight"] = weights[variant["variant_id"]]
        write_text(out, yaml.safe_dump(changed, sort_keys=False, allow_unicode=True))
    if json != "-":
        now = {variant.variant_id: str(variant.weight) for variant in experiment.variants}
        rows = [[name, now[name], str(weight)] for name, weight in weights.items()]
        say(table(["variant", "weight now", "next weight"], rows))
