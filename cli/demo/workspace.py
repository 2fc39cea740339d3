"""The files of a demo: where they are, and those that are made from the data set."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from importlib.resources import files
from pathlib import Path

from experiments.errors import DomainError
from server.catalogue import Catalogue, Money, Offer, Placement, dump_catalogue
from training.bundle import Task
from training.data import OfferDataset

CONFIG = """\
# Configuration of the demo's server. Relative paths count from this folder.

[server]
host = "127.0.0.1"
port = 50051
metrics_port = 9464

[store]
path = "{log}"

[programmes.default]
catalogue = "catalogue.yaml"
experiments = "experiments"
models = "models"
"""


class WorkspaceError(DomainError):
    """The folder of the demo cannot be used."""

    reason = "FOLDER_UNUSABLE"


@dataclass(frozen=True, slots=True)
class Workspace:
    """The folder of a demo.

    Attributes:
        folder: Everything lies below it.
        replay: The folder of this run's replay, new for each run, so that an earlier log is never touched.
    """

    folder: Path
    replay: Path

    @property
    def catalogue(self) -> Path:
        """The catalogue."""
        return self.folder / "catalogue.yaml"

    @property
    def experiment(self) -> Path:
        """The definition of the experiment."""
        return self.folder / "experiments" / "offer-ranking.yaml"

    @property
    def models(self) -> Path:
        """Where models are pulled to."""
        return self.folder / "models"

    @property
    def live_config(self) -> Path:
        """Configuration of a server to keep running."""
        return self.folder / "troth.toml"

    @property
    def replay_config(self) -> Path:
        """Configuration of the replay's server."""
        return self.folder / "replay.toml"

    @property
    def log(self) -> Path:
        """The replay's event log."""
        return self.replay / "troth.db"


def open_workspace(folder: Path) -> Workspace:
    """Make the folders of a demo.

    Raises:
        WorkspaceError: The folder cannot be written.
    """
    name = datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%SZ")
    workspace = Workspace(folder, folder / "replays" / name)
    try:
        workspace.replay.mkdir(parents=True)
        workspace.experiment.parent.mkdir(exist_ok=True)
    except OSError as error:
        raise WorkspaceError(
            f"The folder {folder} cannot be written ({error.strerror}); name another one with --dir.",
            folder=str(folder),
        ) from error
    return workspace


def write_definitions(workspace: Workspace, dataset: OfferDataset, until_week: int) -> Catalogue:
    """Write catalogue, experiment and server configurations; return the catalogue.

    Args:
        workspace: Where.
        dataset: Offers and redemptions.
        until_week: Discounts come from redemptions up to this week only.

    Returns:
        The catalogue.
    """
    catalogue = catalogue_of(dataset, until_week)
    workspace.catalogue.write_text(dump_catalogue(catalogue), encoding="utf-8")
    definition = files("cli.demo").joinpath("offer_ranking.yaml").read_text(encoding="utf-8")
    workspace.experiment.write_text(definition, encoding="utf-8")
    workspace.live_config.write_text(CONFIG.format(log="troth.db"), encoding="utf-8")
    replay_log = workspace.log.relative_to(workspace.folder).as_posix()
    workspace.replay_config.write_text(CONFIG.format(log=replay_log), encoding="utf-8")
    return catalogue


def catalogue_of(dataset: OfferDataset, until_week: int) -> Catalogue:
    """Return the data set's offers as a catalogue, each with the discount of earlier matched redemptions, if any."""
    discounts = dict(dataset.discounts(until_week).iter_rows())
    return Catalogue(
        time_zone=dataset.time_zone,
        note=dataset.catalogue_rule,
        placements=(
            Placement(
                placement_id="checkout", description="Beside the basket, before paying", task=Task.REDEEM
            ),
        ),
        offers=tuple(
            Offer(
                offer_id=row["offer_id"],
                title=row["title"],
                valid_from=row["valid_from"],
                valid_until=row["valid_until"],
                discount=_dollars(discounts.get(row["offer_id"])),
                attributes={"campaign_id": row["campaign_id"], "product_count": row["product_count"]},
            )
            for row in dataset.offers.iter_rows(named=True)
        ),
    )


def _dollars(amount: float | None) -> Money | None:
    if amount is None:
        return None
    return Money(amount=Decimal(repr(amount)).quantize(Decimal("0.01")), currency_code="USD")
