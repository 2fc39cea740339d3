"""Several servers on one store: what one of them changes in catalogue or experiments, the others act on too."""

from pathlib import Path

from tests.server import decision_scene as ds
from tests.server.decision_scene import Asking, Now, offered
from tests.server.experiments import Experiments, experiment
from tests.server.running import RPC_TIMEOUT_S, running
from tests.server.waiting import wait_until
from troth.v1.assignment_pb2 import ASSIGNMENT_REASON_ASSIGNED, ASSIGNMENT_REASON_NOT_RUNNING
from troth.v1.catalog_service_pb2 import DeleteOfferRequest, GetCatalogueRequest, UpsertOfferRequest
from troth.v1.experiment_service_pb2 import GetAssignmentsRequest, ListExperimentsRequest


def test_other_servers_follow(tmp_path: Path) -> None:
    """An offer that is closed to everybody, or taken out, on one server is soon given by none; budgets hold on."""
    config = ds.write(tmp_path / "scene")
    with running(config, Now()) as one, running(config, Now()) as other:
        assert offered(Asking(other).offers("anna"))[0] == "honey"
        catalogue = one.catalogues.GetCatalogue(GetCatalogueRequest(), timeout=RPC_TIMEOUT_S).catalogue
        (honey,) = (offer for offer in catalogue.offers if offer.offer_id == "honey")
        honey.eligible = "false"

        one.catalogues.UpsertOffer(UpsertOfferRequest(offer=honey, actor="ann"), timeout=RPC_TIMEOUT_S)
        wait_until(lambda: "honey" not in offered(Asking(other).offers("anna")), "the other closes it too")

        one.catalogues.DeleteOffer(DeleteOfferRequest(offer_id="jam", actor="ann"), timeout=RPC_TIMEOUT_S)
        wait_until(lambda: "jam" not in offered(Asking(other).offers("anna")), "the other takes it out too")

        last = Asking(other).offers("anna", offer_count=10)
        assert Asking(one).offers("anna", offer_count=10).catalogue_revision == last.catalogue_revision
        assert Asking(other).replay(last.decision_id).identical


def test_own_changes_are_not_taken_twice(tmp_path: Path) -> None:
    """Two servers that change in turn end with both changes, each once in the trail."""
    config = ds.write(tmp_path / "scene")
    with running(config, Now()) as one, running(config, Now()) as other:
        one.catalogues.DeleteOffer(DeleteOfferRequest(offer_id="jam", actor="ann"), timeout=RPC_TIMEOUT_S)
        change = other.catalogues.DeleteOffer(
            DeleteOfferRequest(offer_id="wine", actor="bob"), timeout=RPC_TIMEOUT_S
        ).change

        assert [item.item for item in change.items] == ["offers/wine"]
        wait_until(
            lambda: Asking(one).offers("anna").catalogue_revision == change.revision, "the first one follows"
        )


def test_experiments_are_followed(tmp_path: Path) -> None:
    """What is created, started and stopped on one server soon holds on the other, which may then change it further."""
    config = ds.write(tmp_path / "scene")
    with running(config, Now()) as one, running(config, Now()) as other:
        here, there = Experiments(one), Experiments(other)

        def reason() -> int:
            request = GetAssignmentsRequest(member_id="anna", experiment_ids=["test"])
            return int(other.get_assignments(request, timeout=RPC_TIMEOUT_S).assignments[0].reason)

        here.create(experiment("test", placements=["till"]))
        listed = ListExperimentsRequest()
        wait_until(
            lambda: bool(other.experiments.ListExperiments(listed, timeout=RPC_TIMEOUT_S).experiments),
            "the other knows it",
        )
        assert reason() == ASSIGNMENT_REASON_NOT_RUNNING
        here.start("test")
        wait_until(lambda: reason() == ASSIGNMENT_REASON_ASSIGNED, "the other lets it run")

        known = there.get("test")
        assert known == here.get("test")
        stopped = there.stop("test")
        wait_until(lambda: here.get("test") == stopped, "the first one follows")
        assert [change.position for change in here.changes("test")] == [1, 2, 3]
