"""Who a person is: visitors that turn out to be members, variants that stay, variants that are set by hand."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.server.experiments import Experiments
from tests.server.running import Running, refusal, running
from tests.server.scene import write_scene
from troth.v1 import assignment_pb2, experiment_pb2
from troth.v1 import experiment_service_pb2 as pb
from troth.v1.outcome_service_pb2 import Exposure, LogExposuresRequest

NewId = Callable[[], str]
STICKY = assignment_pb2.ASSIGNMENT_REASON_STICKY
ASSIGNED = assignment_pb2.ASSIGNMENT_REASON_ASSIGNED
OVERRIDDEN = assignment_pb2.ASSIGNMENT_REASON_OVERRIDDEN


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server that the tests of this file share, each with ids of its own."""
    with running(write_scene(tmp_path_factory.mktemp("people") / "scene", with_model=False)) as started:
        yield started


def link(server: Running, *pairs: tuple[str, str], programme: str = "") -> Any:
    """Link anonymous ids to members."""
    links = [pb.IdentityLink(anonymous_id=one, member_id=member) for one, member in pairs]
    return server.experiments.LinkIdentities(pb.LinkIdentitiesRequest(links=links, programme=programme))


def told(server: Running, experiment_id: str, member_id: str = "", anonymous_id: str = "") -> Any:
    """Return the assignment of a person."""
    request = pb.GetAssignmentsRequest(
        member_id=member_id, anonymous_id=anonymous_id, experiment_ids=[experiment_id]
    )
    return server.get_assignments(request).assignments[0]


def expose(server: Running, experiment_id: str, member_id: str, variant_id: str) -> None:
    """Log an exposure."""
    event = Exposure(
        event_id=f"{experiment_id}-{member_id}-{variant_id}",
        experiment_id=experiment_id,
        variant_id=variant_id,
        member_id=member_id,
    )
    server.log_exposures(LogExposuresRequest(exposures=[event]))


def apart(server: Running, experiment_id: str, new_id: NewId) -> tuple[str, str]:
    """Return a visitor and a member who are in different variants."""
    visitor = f"visitor-{new_id()}"
    variant = told(server, experiment_id, anonymous_id=visitor).variant_id
    while True:
        member = f"member-{new_id()}"
        if told(server, experiment_id, member).variant_id != variant:
            return visitor, member


def test_a_member_keeps_the_variants_of_the_visitor(live: Running, new_id: NewId) -> None:
    """Before the login, at it, and ever after, the person has the variant of the id by which they were first known."""
    visitor, member = apart(live, "offer-ranking", new_id)
    seen = told(live, "offer-ranking", anonymous_id=visitor)

    assert told(live, "offer-ranking", member, visitor) == seen, "both ids before they are linked"
    assert link(live, (visitor, member)).accepted_count == 1
    assert told(live, "offer-ranking", member) == seen
    assert told(live, "offer-ranking", member, visitor) == seen
    tablet = f"tablet-{new_id()}"
    link(live, (tablet, member))
    for ids in ((member, ""), ("", tablet), ("", visitor), (member, tablet), (member, "never seen")):
        assert told(live, "offer-ranking", *ids) == seen
    assert seen in live.decide(member).assignments, "a decision sees the same person"


def test_links_are_idempotent_and_final(live: Running, new_id: NewId) -> None:
    """A repeated link changes nothing; a visitor never moves to another member, and the refusal names no member."""
    visitor, member, other = (new_id() for _ in range(3))
    assert link(live, (visitor, member)).accepted_count == 1
    again = link(live, (visitor, member), (visitor, member))
    assert (again.accepted_count, again.duplicate_count) == (0, 2)
    request = pb.LinkIdentitiesRequest(
        links=[
            pb.IdentityLink(anonymous_id=f"fresh-{visitor}", member_id=member),
            pb.IdentityLink(anonymous_id=visitor, member_id=other),
        ]
    )

    refused = refusal(live.experiments.LinkIdentities, request)

    assert (refused.code, refused.reason) == (grpc.StatusCode.ALREADY_EXISTS, "IDENTITY_LINKED")
    assert refused.metadata == {"anonymous_id": visitor}
    assert member not in refused.message
    assert link(live, (f"fresh-{visitor}", member)).accepted_count == 1, "the refused batch left nothing"


def test_programmes_are_apart(live: Running, new_id: NewId) -> None:
    """A link holds in its own programme only."""
    visitor, member = apart(live, "offer-ranking", new_id)
    before = told(live, "offer-ranking", member)
    link(live, (visitor, member), programme="second")

    assert told(live, "offer-ranking", member) == before


@pytest.mark.parametrize(
    ("links", "paths"),
    [
        ([], ["links"]),
        ([("", "m"), ("a", "")], ["links[0].anonymous_id", "links[1].member_id"]),
        ([("a" * 257, "m\n")], ["links[0].anonymous_id", "links[0].member_id"]),
        ([("same", "same")], ["links[0].anonymous_id"]),
        ([("a", "m")] * 1001, ["links"]),
    ],
)
def test_wrong_links(live: Running, links: list[tuple[str, str]], paths: list[str]) -> None:
    """All problems of a batch are named at once."""
    request = pb.LinkIdentitiesRequest(
        links=[pb.IdentityLink(anonymous_id=one, member_id=member) for one, member in links]
    )

    refused = refusal(live.experiments.LinkIdentities, request)

    assert (refused.code, refused.paths) == (grpc.StatusCode.INVALID_ARGUMENT, paths)


def test_links_outlive_a_restart(tmp_path: Path, new_id: NewId) -> None:
    """A link holds after a restart as before it."""
    config = write_scene(tmp_path / "scene", with_model=False)
    with running(config) as server:
        visitor, member = apart(server, "offer-ranking", new_id)
        link(server, (visitor, member))
        seen = told(server, "offer-ranking", member)
    with running(config) as again:
        assert told(again, "offer-ranking", member) == seen
        assert told(again, "offer-ranking", member) == told(again, "offer-ranking", anonymous_id=visitor)


def _only(variant_id: str) -> list[experiment_pb2.ExperimentVariant]:
    return [
        experiment_pb2.ExperimentVariant(variant_id=one, weight=1 if one == variant_id else 0)
        for one in ("control", "treatment")
    ]


def _thousandth(variant_id: str) -> list[experiment_pb2.ExperimentVariant]:
    return [
        experiment_pb2.ExperimentVariant(variant_id=one, weight=999_999 if one == variant_id else 1)
        for one in ("control", "treatment")
    ]


def test_a_member_keeps_her_variant_when_weights_change(live: Running, new_id: NewId) -> None:
    """In a sticky experiment an exposed member keeps their variant over a revision; others follow the new weights."""
    keep, name = Experiments(live), new_id()
    keep.running(name, sticky=True, variants=_only("control"))
    met, unmet = new_id(), new_id()
    assert told(live, name, met).reason == ASSIGNED
    expose(live, name, met, told(live, name, met).variant_id)
    keep.update(name, variants=_thousandth("treatment"), revision=2)

    kept = told(live, name, met)
    assert (kept.variant_id, kept.reason, kept.experiment_revision) == ("control", STICKY, 2)
    assert told(live, name, unmet).variant_id == "treatment"
    assert kept in live.decide(met, "home").assignments
    expose(live, name, met, "treatment")
    assert told(live, name, met) == kept, "the first exposure counts, not the last"
    keep.update(name, variants=_only("treatment"), revision=3)
    assert told(live, name, met).variant_id == "treatment", "an arm that is closed keeps nobody"


def test_a_visitor_keeps_her_variant_as_a_member(live: Running, new_id: NewId) -> None:
    """The exposure of the visitor sticks to the member that they turn out to be."""
    keep, name = Experiments(live), new_id()
    keep.running(name, sticky=True, variants=_only("control"))
    visitor, member = new_id(), new_id()
    expose(live, name, visitor, "control")
    keep.update(name, variants=_thousandth("treatment"), revision=2)
    link(live, (visitor, member))

    assert (told(live, name, member).variant_id, told(live, name, member).reason) == ("control", STICKY)


def test_overrides_reach_linked_members(live: Running, new_id: NewId) -> None:
    """Whoever is named in the overrides has that variant, by their member id too where they are known by an older one."""
    keep, name = Experiments(live), new_id()
    visitor, member = new_id(), new_id()
    link(live, (visitor, member))
    keep.running(name, overrides={member: "treatment"}, traffic_ppm=0)

    for ids in ((member, ""), ("", visitor)):
        one = told(live, name, *ids)
        assert (one.variant_id, one.reason) == ("treatment", OVERRIDDEN)
    assert one in live.decide(member, "home").assignments
    expose(live, name, member, "treatment")
    assert len(live.frames().exposures.filter(experiment_id=name)) == 1, "the log keeps what happened"


def test_retried_decisions_keep_their_reasons(live: Running, new_id: NewId) -> None:
    """A decision that is told again tells the reasons of its assignments again."""
    keep, name, member = Experiments(live), new_id(), new_id()
    keep.running(name, overrides={member: "treatment"})

    first = live.decide(member, "home", request_id=f"key-{name}")

    assert {one.experiment_id: one.reason for one in first.assignments}[name] == OVERRIDDEN
    assert live.decide(member, "home", request_id=f"key-{name}") == first
