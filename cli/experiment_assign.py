"""`troth experiment assign`: the variants of a whole table of units."""

from pathlib import Path
from typing import Annotated

import typer

from cli.output import say


def assign(
    definition: Annotated[Path, typer.Argument(help="YAML file with one experiment.")],
    units: Annotated[Path, typer.Option(help="Table with one row per unit: .parquet or .csv.")],
    out: Annotated[Path, typer.Option(help="Write the assignments to this .parquet or .csv file.")],
    unit_column: Annotated[
        str,
        typer.Option(help="Column with the units' ids; as in the definition if not given, else member_id."),
    ] = "",
    earlier_column: Annotated[
        str, typer.Option(help="Column with the variant that a unit had before, for a sticky experiment.")
    ] = "",
    preview: Annotated[
        bool, typer.Option("--preview", help="Assign although the experiment does not run, as if it did.")
    ] = False,
) -> None:
    """Assign all units of a table, from file to file; the same variants as the server answers."""
    from experiments.assignment.table import NotRunningError, assign_table, open_units, write_assignments
    from experiments.definition import State, load_experiments
    from experiments.plan import compile_plan

    found = load_experiments(definition)
    if len(found) != 1:
        raise typer.BadParameter(f"{definition} holds {len(found)} experiments; name a file with one.")
    (experiment,) = found
    if preview:
        experiment = experiment.model_copy(update={"state": State.RUNNING})
    if experiment.state is not State.RUNNING:
        raise NotRunningError(
            f"The experiment {experiment.experiment_id} is not running but {experiment.state}, so it assigns nobody; --preview shows"
            " whom it would assign.",
            experiment_id=experiment.experiment_id,
        )
    if out.exists() and units.exists() and out.samefile(units):
        raise typer.BadParameter(f"{out} is the table of units itself; write to another file.")
    column = unit_column or experiment.unit_column or "member_id"
    plan = compile_plan([experiment], experiment.programme)
    table = open_units(units, column, experiment.attributes)
    assigned = assign_table(plan, experiment.experiment_id, table, column, earlier_column)
    counted = write_assignments(assigned, out)
    say(counted.sentence(variant.variant_id for variant in experiment.variants))
