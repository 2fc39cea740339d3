"""Catalogues over gRPC: read, replaced, edited item by item, audited, guarded and refused."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.type.money_pb2 import Money

from experiments.definition import parse_experiment
from server.api.catalogue_parts import part_message
from server.catalogue import Catalogue, Offer, Placement
from server.errors import CatalogueConflictError
from tests.server import catalogue_scene as scene
from tests.server.catalogue_scene import Serving, serving
from tests.server.running import refusal
from troth.v1 import catalog_pb2
from troth.v1 import catalog_service_pb2 as pb

MEMBERS = (
    {"age": 25, "tier": "gold"},
    {"age": 35, "tier": "gold"},
    {"age": 29},
    {"tier": "silver"},
)


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Serving]:
    with serving(tmp_path / "troth.db", scene.full(), members=MEMBERS) as started:
        yield started


def _apply(live: Serving, change: Callable[[Any], object], **fields: Any) -> Any:
    """Return the request to apply what is in force with a change."""
    catalogue = live.stub.GetCatalogue(pb.GetCatalogueRequest()).catalogue
    change(catalogue)
    return pb.ApplyCatalogueRequest(catalogue=catalogue, actor="ann", **fields)


def _revision(live: Serving) -> str:
    return live.programmes.current("default").catalogue.revision


def _trail(live: Serving) -> Any:
    return live.stub.ListCatalogueChanges(pb.ListCatalogueChangesRequest()).changes


def test_the_catalogue_in_force(live: Serving) -> None:
    """A reader gets the whole catalogue, defaults written out, and its revision."""
    answer = live.stub.GetCatalogue(pb.GetCatalogueRequest())

    assert answer.revision == scene.full().revision
    assert answer.catalogue == part_message(catalog_pb2.Catalogue(), scene.full())
    assert answer.catalogue.placements[1].default_offer_count == 3


def test_a_change_takes_effect_at_once(live: Serving) -> None:
    """An applied catalogue is in force when its answer is there; others are told; the trail has who, when and what."""
    before = _revision(live)

    change = live.stub.ApplyCatalogue(
        _apply(live, lambda one: one.offers[0].__setattr__("title", "Espresso"), etag=before, request_id="r")
    ).change

    assert live.programmes.current("default").catalogue.offers[0].title == "Espresso"
    assert change.revision == _revision(live) != before
    assert live.told == [("default", change.revision)]
    first, second = _trail(live)
    assert (first.source, first.actor, first.position) == (pb.CATALOGUE_SOURCE_FILE, "file", 1)
    assert second == change
    assert (change.position, change.actor, change.source, change.request_id, change.item_count) == (
        2,
        "ann",
        pb.CATALOGUE_SOURCE_GRPC,
        "r",
        1,
    )
    assert change.change_time.ToDatetime() == scene.NOW.replace(tzinfo=None)
    (item,) = change.items
    assert (item.kind, item.item, item.path, item.before_text, item.after_text) == (
        pb.ITEM_CHANGE_KIND_CHANGED,
        "offers/coffee",
        "title",
        "Free coffee",
        "Espresso",
    )


def test_earlier_revisions(live: Serving) -> None:
    """Every revision that ever was can be read, and one that never was is not found."""
    before = _revision(live)
    live.stub.DeleteAction(pb.DeleteActionRequest(action_id="hello", actor="ann"))

    was = live.stub.GetCatalogue(pb.GetCatalogueRequest(revision=before))
    assert [action.action_id for action in was.catalogue.actions] == ["hello", "no_action"]
    assert was.revision == before
    told = refusal(live.stub.GetCatalogue, pb.GetCatalogueRequest(revision="catalogue-0"))
    assert (told.code, told.reason) == (grpc.StatusCode.NOT_FOUND, "CATALOGUE_REVISION_NOT_FOUND")


def test_checking_only(live: Serving) -> None:
    """With validate_only the change is told and nothing is kept or in force."""
    before = _revision(live)

    change = live.stub.ApplyCatalogue(
        _apply(live, lambda one: one.offers[0].__setattr__("lever", 2.0), validate_only=True)
    ).change

    assert (change.position, change.item_count, change.items[0].path) == (0, 1, "lever")
    assert not change.HasField("change_time")
    assert _revision(live) == before
    assert len(_trail(live)) == 1


def test_no_change(live: Serving) -> None:
    """Applying what is in force makes no entry."""
    change = live.stub.ApplyCatalogue(_apply(live, lambda _: None)).change

    assert (change.position, change.item_count, change.revision) == (0, 0, _revision(live))
    assert len(_trail(live)) == 1
    assert live.told == []


def test_every_item_can_be_kept_alone(live: Serving) -> None:
    """Offers, actions and segments are put in, replaced in their place, and taken out, one revision each."""
    stub = live.stub
    stub.UpsertSegment(
        pb.UpsertSegmentRequest(segment=catalog_pb2.Segment(segment_id="old", rule="age > 60"), actor="a")
    )
    stub.UpsertOffer(
        pb.UpsertOfferRequest(
            offer=catalog_pb2.Offer(
                offer_id="cake",
                eligible='"old" in segments',
                value=Money(units=2, currency_code="USD"),
                inventory=0,
            ),
            actor="b",
        )
    )
    stub.UpsertOffer(
        pb.UpsertOfferRequest(offer=catalog_pb2.Offer(offer_id="coffee", title="New"), actor="c")
    )
    stub.UpsertAction(
        pb.UpsertActionRequest(
            action=catalog_pb2.Action(action_id="ask", kind=catalog_pb2.ACTION_KIND_SURVEY), actor="d"
        )
    )
    catalogue = live.programmes.current("default").catalogue
    assert [offer.offer_id for offer in catalogue.offers] == ["coffee", "tea", "cake"]
    assert (catalogue.offers[0].title, catalogue.offers[0].cost) == ("New", None)
    assert catalogue.offers[2].inventory == 0
    assert [action.action_id for action in catalogue.actions] == ["hello", "no_action", "ask"]

    stub.DeleteAction(pb.DeleteActionRequest(action_id="ask", actor="e"))
    stub.DeleteOffer(pb.DeleteOfferRequest(offer_id="cake", actor="f"))
    stub.DeleteSegment(pb.DeleteSegmentRequest(segment_id="old", actor="g"))

    trail = _trail(live)
    assert [change.actor for change in trail] == ["file", *"abcdefg"]
    assert [change.position for change in trail] == list(range(1, 9))
    assert [change.items[0].item for change in trail[1:]] == [
        "segments/old",
        "offers/cake",
        "offers/coffee",
        "actions/ask",
        "actions/ask",
        "offers/cake",
        "segments/old",
    ]


@pytest.mark.parametrize(
    ("method", "request_"),
    [
        ("DeleteOffer", pb.DeleteOfferRequest(offer_id="x", actor="a")),
        ("DeleteAction", pb.DeleteActionRequest(action_id="x", actor="a")),
        ("DeleteSegment", pb.DeleteSegmentRequest(segment_id="x", actor="a")),
        ("MeasureSegment", pb.MeasureSegmentRequest(segment_id="x")),
    ],
)
def test_items_that_are_not_there(live: Serving, method: str, request_: Any) -> None:
    """What is not in the catalogue is not found, by kind and id."""
    told = refusal(getattr(live.stub, method), request_)

    assert (told.code, told.reason) == (grpc.StatusCode.NOT_FOUND, "CATALOGUE_ITEM_NOT_FOUND")
    assert told.metadata["item_id"] == "x"


def test_all_problems_at_once(live: Serving) -> None:
    """A broken catalogue is refused with every problem at its path in the proto's words."""

    def break_it(one: Any) -> None:
        one.offers[0].eligible = "tier == gold"
        one.offers[1].group_id = "x"
        one.offers[0].cost.units = -2
        one.offers[0].cost.nanos = 0
        one.placements[1].arbitration = "x"

    told = refusal(live.stub.ApplyCatalogue, _apply(live, break_it))

    assert (told.code, told.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST")
    assert sorted(told.paths) == [
        "catalogue.offers[0].cost",
        "catalogue.offers[0].eligible, line 1, column 9",
        "catalogue.offers[1].group_id",
        "catalogue.placements[1].arbitration",
    ]
    assert _revision(live) == scene.full().revision


def test_fields_of_the_wrong_kind(live: Serving) -> None:
    """Values that a field cannot have are refused by the proto's name of the field."""

    def break_it(one: Any) -> None:
        one.offers[1].end_date.year = 2025
        one.placements[0].largest_offer_count = 1000
        one.offers[0].caps.add(most=1, counted_event="Bad Name")

    told = refusal(live.stub.ApplyCatalogue, _apply(live, break_it))

    fields = dict(told.fields)
    assert "start_date 2026-05-01 is after end_date 2025-05-31" in fields["catalogue.offers[1]"]
    assert "at most 100" in fields["catalogue.placements[0].largest_offer_count"]
    assert "lower-case letters" in fields["catalogue.offers[0].caps[0].counted_event"]


def test_problems_of_one_item(live: Serving) -> None:
    """A problem of the item is told at its field, one that it makes elsewhere at the catalogue's."""
    offer = catalog_pb2.Offer(offer_id="tea", suitable="age", group_id="x", placements=["next"])
    told = refusal(live.stub.UpsertOffer, pb.UpsertOfferRequest(offer=offer, actor="a"))
    assert sorted(told.paths) == ["offer.group_id", "offer.suitable, line 1, column 1"]

    told = refusal(live.stub.DeleteOffer, pb.DeleteOfferRequest(offer_id="coffee", actor="a"))
    assert told.paths == ["catalogue.placements[0].fallback_offer_ids[0]"]
    told = refusal(live.stub.DeleteSegment, pb.DeleteSegmentRequest(segment_id="young", actor="a"))
    assert told.paths == ["catalogue.offers[1].suitable, line 1, column 1"]
    told = refusal(
        live.stub.UpsertAction, pb.UpsertActionRequest(action=catalog_pb2.Action(title="x"), actor="a")
    )
    assert sorted(told.paths) == ["action.action_id", "action.kind"]


@pytest.mark.parametrize(
    ("method", "request_", "paths"),
    [
        ("ApplyCatalogue", pb.ApplyCatalogueRequest(), ["actor", "catalogue"]),
        ("UpsertOffer", pb.UpsertOfferRequest(), ["actor", "offer"]),
        ("DeleteSegment", pb.DeleteSegmentRequest(), ["actor", "segment_id"]),
        ("MeasureSegment", pb.MeasureSegmentRequest(), ["segment_id"]),
        ("ListOffers", pb.ListOffersRequest(page_size=-1, page_token="?"), ["page_size", "page_token"]),
        ("GetCatalogue", pb.GetCatalogueRequest(programme="x" * 129), ["programme"]),
    ],
)
def test_incomplete_requests(live: Serving, method: str, request_: Any, paths: list[str]) -> None:
    """What is missing or malformed is named, all of it."""
    told = refusal(getattr(live.stub, method), request_)

    assert told.code is grpc.StatusCode.INVALID_ARGUMENT
    assert sorted(told.paths) == paths


def test_clients_cannot_be_the_file(live: Serving) -> None:
    """A client may call itself the command line, not the configured file."""
    told = refusal(live.stub.ApplyCatalogue, _apply(live, lambda _: None, source=pb.CATALOGUE_SOURCE_FILE))
    assert told.paths == ["source"]
    change = live.stub.ApplyCatalogue(
        _apply(live, lambda one: one.actions.pop(0), source=pb.CATALOGUE_SOURCE_CLI)
    ).change
    assert change.source == pb.CATALOGUE_SOURCE_CLI


def test_another_programme(live: Serving) -> None:
    """A catalogue of another programme, or for one that is not served, is refused."""
    told = refusal(live.stub.ApplyCatalogue, _apply(live, lambda one: one.__setattr__("programme", "other")))
    assert told.paths == ["catalogue.programme"]
    told = refusal(live.stub.ApplyCatalogue, _apply(live, lambda _: None, programme="other"))
    assert told.reason == "PROGRAMME_NOT_FOUND"


def test_guard_against_the_changes_of_others(live: Serving) -> None:
    """A change that was made from an older revision is refused, whole or item."""
    etag = _revision(live)
    live.stub.DeleteAction(pb.DeleteActionRequest(action_id="hello", actor="a", etag=etag))

    told = refusal(
        live.stub.DeleteAction, pb.DeleteActionRequest(action_id="no_action", actor="a", etag=etag)
    )

    assert (told.code, told.reason) == (grpc.StatusCode.ABORTED, "ETAG_MISMATCH")
    assert told.metadata["etag"] == _revision(live)
    assert told.message.startswith("The catalogue of programme 'default' was changed meanwhile")


def test_retries(live: Serving) -> None:
    """The same request again gets the same change and makes none; another one under its id is refused."""
    request = pb.DeleteActionRequest(action_id="hello", actor="a", request_id="once")
    first = live.stub.DeleteAction(request)

    assert live.stub.DeleteAction(request) == first
    assert len(_trail(live)) == 2
    told = refusal(
        live.stub.DeleteAction, pb.DeleteActionRequest(action_id="no_action", actor="a", request_id="once")
    )
    assert (told.code, told.reason) == (grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED")


def test_many_at_once(live: Serving) -> None:
    """Edits that arrive together all count; none is lost."""
    offers = [catalog_pb2.Offer(offer_id=f"o{number}") for number in range(20)]
    with ThreadPoolExecutor(8) as pool:
        list(
            pool.map(
                lambda offer: live.stub.UpsertOffer(pb.UpsertOfferRequest(offer=offer, actor="a")), offers
            )
        )

    known = {offer.offer_id for offer in live.programmes.current("default").catalogue.offers}
    assert known == {"coffee", "tea", *(f"o{number}" for number in range(20))}
    assert [change.position for change in _trail(live)] == list(range(1, 22))


def test_two_servers_on_one_store(live: Serving, tmp_path: Path) -> None:
    """A change builds on what another server changed meanwhile, and takes that over."""
    with serving(tmp_path / "troth.db", scene.full()) as other:
        other.stub.UpsertOffer(pb.UpsertOfferRequest(offer=catalog_pb2.Offer(offer_id="theirs"), actor="a"))
        live.stub.UpsertOffer(pb.UpsertOfferRequest(offer=catalog_pb2.Offer(offer_id="ours"), actor="a"))

    known = [offer.offer_id for offer in live.programmes.current("default").catalogue.offers]
    assert known == ["coffee", "tea", "theirs", "ours"]


def test_what_another_server_did_already(live: Serving, tmp_path: Path) -> None:
    """Asked for what another server of the store has in force already, a server makes no entry and decides by it too."""
    with serving(tmp_path / "troth.db", scene.full()) as other:
        other.stub.DeleteAction(pb.DeleteActionRequest(action_id="hello", actor="a"))

    change = live.stub.ApplyCatalogue(_apply(live, lambda one: one.actions.pop(0))).change

    assert change.position == 0
    assert len(_trail(live)) == 2
    assert _revision(live) == change.revision
    assert live.told == [("default", change.revision)]


def test_restart(tmp_path: Path) -> None:
    """What was changed over gRPC is in force after a restart with the same file."""
    with serving(tmp_path / "troth.db", scene.full()) as first:
        first.stub.DeleteAction(pb.DeleteActionRequest(action_id="hello", actor="a"))
        changed = _revision(first)
    with serving(tmp_path / "troth.db", scene.full()) as second:
        assert _revision(second) == changed


def test_pages(live: Serving) -> None:
    """Lists are paged by id, the trail by position; tokens belong to their list."""
    for number in range(5):
        live.stub.UpsertOffer(
            pb.UpsertOfferRequest(offer=catalog_pb2.Offer(offer_id=f"o{number}"), actor="a")
        )
    found, token, pages = [], "", 0
    while token or not pages:
        answer = live.stub.ListOffers(pb.ListOffersRequest(page_size=3, page_token=token))
        found += [offer.offer_id for offer in answer.offers]
        token, pages = answer.next_page_token, pages + 1
    assert found == ["coffee", "o0", "o1", "o2", "o3", "o4", "tea"]
    assert pages == 3

    first = live.stub.ListCatalogueChanges(pb.ListCatalogueChangesRequest(page_size=4))
    rest = live.stub.ListCatalogueChanges(
        pb.ListCatalogueChangesRequest(page_size=4, page_token=first.next_page_token)
    )
    assert [one.position for one in (*first.changes, *rest.changes)] == [1, 2, 3, 4, 5, 6]
    assert rest.next_page_token == ""
    actions = live.stub.ListActions(pb.ListActionsRequest(page_size=1))
    assert [action.action_id for action in actions.actions] == ["hello"]
    assert [one.segment_id for one in live.stub.ListSegments(pb.ListSegmentsRequest()).segments] == ["young"]
    told = refusal(live.stub.ListOffers, pb.ListOffersRequest(page_token=actions.next_page_token))
    assert told.paths == ["page_token"]


def test_sizes_of_segments(live: Serving) -> None:
    """A segment or rule is counted over the known members; one who lacks what it asks about is counted apart."""
    named = live.stub.MeasureSegment(pb.MeasureSegmentRequest(segment_id="young"))
    tried = live.stub.MeasureSegment(pb.MeasureSegmentRequest(rule='tier == "gold" && age > 30'))

    assert (named.matching_member_count, named.erring_member_count, named.member_count) == (2, 1, 4)
    assert named.explanation == "age is below 30"
    assert (tried.matching_member_count, tried.erring_member_count, tried.member_count) == (1, 0, 4)
    told = refusal(live.stub.MeasureSegment, pb.MeasureSegmentRequest(rule="local_hour > 3"))
    assert told.paths == ["rule, line 1, column 1"]


def test_what_experiments_need(tmp_path: Path) -> None:
    """A placement cannot go while an experiment that is not archived is at it."""
    fields = {"placements": ["next"], "unit": "member"}
    running = parse_experiment(_definition(**fields), "test")
    with serving(tmp_path / "troth.db", scene.full(), (running,)) as live:
        told = refusal(live.stub.ApplyCatalogue, _apply(live, lambda one: one.placements.pop(1)))

        assert (told.code, told.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "CATALOGUE_CONFLICT")
        assert told.fields == (("experiments.next-test.placements", "the catalogue has no placement 'next'"),)
        live.stub.ApplyCatalogue(_apply(live, lambda one: one.actions.pop(0)))


def test_following_what_experiments_need(tmp_path: Path) -> None:
    """What another server takes away that an experiment here needs stays in force here until it is back."""
    running = parse_experiment(_definition(placements=["next"], unit="member"), "test")
    with (
        serving(tmp_path / "troth.db", scene.full(), (running,)) as live,
        serving(tmp_path / "troth.db", scene.full()) as other,
    ):
        before = _apply(other, lambda _: None)
        other.stub.ApplyCatalogue(_apply(other, lambda one: one.placements.pop(1)))
        for _ in range(2):
            with pytest.raises(CatalogueConflictError, match="next"):
                live.handler.follow(["default"])
        assert "next" in live.programmes.current("default").catalogue.placements_by_id

        other.stub.ApplyCatalogue(before)
        live.handler.follow(["default"])

        assert _revision(live) == _revision(other)
        assert live.told == [], "it was in force all the time"


def test_what_archived_experiments_needed(tmp_path: Path) -> None:
    """A placement may go when the experiments that were at it are archived."""
    archived = parse_experiment(_definition(placements=["next"], unit="member", state="archived"), "test")
    with serving(tmp_path / "troth.db", scene.full(), (archived,)) as live:
        live.stub.ApplyCatalogue(_apply(live, lambda one: one.placements.pop(1)))

        assert list(live.programmes.current("default").catalogue.placements_by_id) == ["home"]


def _definition(**fields: Any) -> dict[str, Any]:
    return {
        "experiment_id": "next-test",
        "revision": 1,
        "hypothesis": "It helps.",
        "owner": "tests",
        "state": "running",
        "control": "a",
        "variants": [{"variant_id": "a"}, {"variant_id": "b"}],
        "metrics": [{"metric_id": "m"}],
        **fields,
    }


def test_pages_of_large_items(tmp_path: Path) -> None:
    """A page that would be too large for a message is cut short; nothing is lost over the pages."""
    large = Catalogue(
        placements=(Placement(placement_id="p"),),
        offers=tuple(Offer(offer_id=f"o{number:02}", description="x" * 100_000) for number in range(60)),
    )
    with serving(tmp_path / "troth.db", large) as live:
        found: list[str] = []
        sizes: list[int] = []
        token = ""
        while token or not sizes:
            answer = live.stub.ListOffers(pb.ListOffersRequest(page_size=100, page_token=token))
            found += [offer.offer_id for offer in answer.offers]
            token = answer.next_page_token
            sizes.append(answer.ByteSize())

    assert found == [f"o{number:02}" for number in range(60)]
    assert len(sizes) == 3
    assert max(sizes) < 2_200_000


def test_a_large_catalogue(tmp_path: Path) -> None:
    """10,000 offers with rules travel in one message; of thousands of differences the first are listed, all are counted."""
    large = Catalogue(
        attributes={"age": "int"},
        placements=(Placement(placement_id="p"),),
        offers=tuple(
            Offer(offer_id=f"o{number}", title=f"Offer number {number}", eligible=f"age > {number % 200}")
            for number in range(10_000)
        ),
    )
    small = Catalogue(placements=(Placement(placement_id="p"),))
    with serving(tmp_path / "troth.db", small) as live:
        request = pb.ApplyCatalogueRequest(catalogue=part_message(catalog_pb2.Catalogue(), large), actor="a")
        assert request.ByteSize() < 4 * 1024 * 1024
        change = live.stub.ApplyCatalogue(request, timeout=60).change

        assert change.item_count == 10_001
        assert 1000 < len(change.items) < 10_001
        assert live.programmes.current("default").catalogue == large
        assert len(live.stub.GetCatalogue(pb.GetCatalogueRequest()).catalogue.offers) == 10_000
