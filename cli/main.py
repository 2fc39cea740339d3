"""The command `troth`."""

import sys

import typer

from cli import (
    campaign,
    catalog,
    demo_command,
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
from experiments.errors import DomainError
from training.bundle import BundleError

app = typer.Typer(
    name="troth",
    help="Experimentation and recommendation engine for loyalty programmes.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command("demo")(demo_command.demo)
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
