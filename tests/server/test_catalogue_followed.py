"""Several servers on one store: what one of them changes in the catalogue, the others decide by too."""

from pathlib import Path

from tests.server import decision_scene as ds
from tests.server.decision_scene import Asking, Now, offered
from tests.server.running import RPC_TIMEOUT_S, running
from tests.server.waiting import wait_until
from troth.v1.catalog_service_pb2 import DeleteOfferRequest, GetCatalogueRequest, UpsertOfferRequest


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
