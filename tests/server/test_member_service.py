"""``MemberService``: what a programme says of its members, kept, audited and told."""

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.timestamp_pb2 import Timestamp

from server.members.profile import ProfileUpdate
from server.storage import ProfileUpdates, SqliteEventLog
from tests.server import decision_scene, scene
from tests.server.running import RPC_TIMEOUT_S, Refusal, Running, refusal, running
from tests.server.test_storage import decision as decided
from troth.v1 import member_service_pb2 as pb
from troth.v1.assignment_pb2 import AttributeValue, TextList
from troth.v1.member_pb2 import Consent, ConsentKey, Member
from troth.v1.outcome_service_pb2 import LogOutcomesRequest, Outcome

NOW = datetime(2017, 12, 5, 12, tzinfo=UTC)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The configuration of a small programme."""
    return scene.write_scene(tmp_path / "scene")


@pytest.fixture
def server(config: Path) -> Iterator[Running]:
    """A server with an empty log."""
    with running(config) as started:
        yield started


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server that keeps nothing of what these tests send."""
    with running(scene.write_scene(tmp_path_factory.mktemp("untouched") / "scene")) as started:
        yield started


def stamp(time: datetime) -> Timestamp:
    """Return a time as a message."""
    message = Timestamp()
    message.FromDatetime(time)
    return message


def update(member_id: str = "anna", *, mask: tuple[str, ...] = (), **fields: Any) -> pb.MemberUpdate:
    """Return a change of one member; fields that start with ``removed`` are those of the update."""
    removed = {name: fields.pop(name) for name in list(fields) if name.startswith("removed")}
    member = Member(member_id=member_id, **fields)
    return pb.MemberUpdate(member=member, update_mask=FieldMask(paths=mask), **removed)


def text(value: str) -> AttributeValue:
    """Return a text attribute."""
    return AttributeValue(string_value=value)


def upsert(server: Running, *updates: pb.MemberUpdate, **fields: Any) -> tuple[int, int]:
    """Change members; return how many changed and how many did not."""
    request = pb.UpsertMembersRequest(updates=updates, actor="crm", **fields)
    response = server.members.UpsertMembers(request, timeout=RPC_TIMEOUT_S)
    return response.changed_count, response.unchanged_count


def get(server: Running, member_id: str = "anna") -> Any:
    """Return what the server knows of a member."""
    return server.members.GetMember(pb.GetMemberRequest(member_id=member_id), timeout=RPC_TIMEOUT_S)


def refused(server: Running, *updates: pb.MemberUpdate, **fields: Any) -> Refusal:
    """Send changes that must be refused; nothing may be kept."""
    request = pb.UpsertMembersRequest(updates=updates, **{"actor": "crm", **fields})
    answer = refusal(server.members.UpsertMembers, request)
    assert (
        refusal(server.members.GetMember, pb.GetMemberRequest(member_id="anna")).reason == "MEMBER_NOT_FOUND"
    )
    return answer


def test_everything_is_kept(config: Path) -> None:
    """Every field of a member, and every kind of attribute, comes back as it was sent, also after a restart."""
    member = Member(
        member_id="anna",
        attributes={
            "city": text("Zürich"),
            "age": AttributeValue(int_value=44),
            "share": AttributeValue(double_value=0.1),
            "staff": AttributeValue(bool_value=False),
            "joined": AttributeValue(moment_time=stamp(NOW)),
            "likes": AttributeValue(string_list=TextList(texts=["tea", "茶"])),
            "nothing": AttributeValue(string_list=TextList()),
        },
        consents=[
            Consent(channel_id="", purpose="ads", granted=True),
            Consent(channel_id="email", purpose="ads", granted=False),
        ],
        tier="gold",
        points_balance=0,
        points_expire_time=stamp(NOW + timedelta(days=30)),
        time_zone="Europe/Zurich",
    )
    with running(config, lambda: NOW) as server:
        assert upsert(server, pb.MemberUpdate(member=member)) == (1, 0)
        first = get(server)
    with running(config) as server:
        again = get(server)

    assert first == again
    assert first.member == member
    assert first.member_version == 1
    assert first.update_time == stamp(NOW)


def test_partial_updates(server: Running) -> None:
    """What is not named stays; attributes and consents are merged by name, and can be taken away."""
    ads, news = Consent(purpose="ads", granted=True), Consent(purpose="news", granted=True)
    upsert(
        server,
        update(
            attributes={"a": text("1"), "b": text("2")}, consents=[ads, news], tier="gold", points_balance=5
        ),
    )

    upsert(
        server,
        update(
            attributes={"b": text("3"), "c": text("4")},
            consents=[Consent(purpose="ads", granted=False)],
            removed_attributes=["a", "never_there"],
            removed_consents=[ConsentKey(purpose="news")],
        ),
    )

    member = get(server).member
    assert member.attributes == {"b": text("3"), "c": text("4")}
    assert list(member.consents) == [Consent(purpose="ads", granted=False)]
    assert (member.tier, member.points_balance) == ("gold", 5)


def test_mask(server: Running) -> None:
    """A mask limits what changes; a field that it names and that is not set is cleared."""
    full: dict[str, Any] = {
        "tier": "gold",
        "points_balance": 5,
        "points_expire_time": stamp(NOW),
        "time_zone": "Asia/Tokyo",
    }
    upsert(server, update(**full, attributes={"a": text("1")}))

    upsert(server, update(mask=("tier",), tier="silver", points_balance=9, attributes={"a": text("2")}))
    member = get(server).member
    assert (member.tier, member.points_balance, member.attributes["a"]) == ("silver", 5, text("1"))

    upsert(server, update(mask=("tier", "points_balance", "points_expire_time", "time_zone", "attributes")))
    assert get(server).member == Member(member_id="anna", attributes={"a": text("1")})


def test_same_again_changes_nothing(server: Running) -> None:
    """A nightly table that says the same again adds no version and no entry to the trail."""
    assert upsert(server, update(tier="gold"), update("bert", tier="gold")) == (2, 0)
    assert upsert(server, update(tier="gold"), update("bert", tier="silver")) == (1, 1)

    assert get(server).member_version == 1
    assert get(server, "bert").member_version == 2


def test_request_id(server: Running) -> None:
    """A retry gets the counts of the first and changes nothing; another request under the same id is refused."""
    assert upsert(server, update(tier="gold"), request_id="r") == (1, 0)
    upsert(server, update(tier="silver"))

    assert upsert(server, update(tier="gold"), request_id="r") == (1, 0)
    assert get(server).member.tier == "silver"
    request = pb.UpsertMembersRequest(updates=[update(tier="bronze")], actor="crm", request_id="r")
    assert refusal(server.members.UpsertMembers, request).reason == "REQUEST_ID_REUSED"
    assert get(server).member.tier == "silver"


def test_trail(server: Running) -> None:
    """Each change is listed with who, when, before and after, in pages, oldest first."""
    for number in range(5):
        upsert(server, update(points_balance=number), request_id=f"r{number}")

    pages: list[list[Any]] = []
    token = ""
    while not pages or token:
        page = server.members.ListMemberChanges(
            pb.ListMemberChangesRequest(member_id="anna", page_size=2, page_token=token),
            timeout=RPC_TIMEOUT_S,
        )
        pages.append(list(page.changes))
        token = page.next_page_token

    assert [len(page) for page in pages] == [2, 2, 1]
    changes = [change for page in pages for change in page]
    assert [change.member_version for change in changes] == [1, 2, 3, 4, 5]
    assert [change.after.points_balance for change in changes] == [0, 1, 2, 3, 4]
    assert [change.before.points_balance for change in changes[1:]] == [0, 1, 2, 3]
    assert not changes[0].HasField("before")
    assert {(change.member_id, change.actor) for change in changes} == {("anna", "crm")}
    assert [change.request_id for change in changes] == [f"r{number}" for number in range(5)]
    assert changes[-1].change_time == get(server).update_time
    wrong = pb.ListMemberChangesRequest(member_id="bert", page_token=page.next_page_token or "x")
    assert refusal(server.members.ListMemberChanges, wrong).paths == ["page_token"]
    unknown = server.members.ListMemberChanges(
        pb.ListMemberChangesRequest(member_id="x"), timeout=RPC_TIMEOUT_S
    )
    assert not unknown.changes


def test_activity(server: Running) -> None:
    """What the log has of a member is counted, also if nothing was ever said of them."""
    decision = server.decide("anna")
    events = ["purchase", "purchase", "redemption", "click"]
    server.log_outcomes(
        LogOutcomesRequest(
            outcomes=[
                Outcome(event_id=f"o{number}", member_id="anna", outcome_type=event)
                for number, event in enumerate(events)
            ]
        ),
        timeout=RPC_TIMEOUT_S,
    )

    known = get(server)

    assert decision.decision_id
    assert (known.activity.purchase_count, known.activity.redemption_count) == (2, 1)
    assert known.member_version == 5
    assert known.member == Member(member_id="anna")
    assert not known.HasField("update_time")


def test_contacts_are_counted_by_channel(config: Path) -> None:
    """Decisions that gave something are counted by the channel they travelled by."""
    with running(config) as server:
        log_path = server.log_path
    with closing(SqliteEventLog(log_path)) as log:
        for number, channel in enumerate(["email", "app", "email", ""]):
            log.submit_decision(decided(number, member_id="anna", channel_id=channel)).result(RPC_TIMEOUT_S)
        log.submit_decision(decided(9, member_id="anna", channel_id="app", offers=())).result(RPC_TIMEOUT_S)

    with running(config) as server:
        contacts = get(server).activity.contacts

    assert [(one.channel_id, one.contact_count) for one in contacts] == [("app", 1), ("email", 2)]


def test_unknown_member(server: Running) -> None:
    """A member of whom nothing was said and logged is NOT_FOUND, with a reason of its own; so is an unknown programme."""
    answer = refusal(server.members.GetMember, pb.GetMemberRequest(member_id="nobody"))
    assert (answer.code, answer.reason) == (grpc.StatusCode.NOT_FOUND, "MEMBER_NOT_FOUND")
    assert answer.metadata == {"programme": "default", "member_id": "nobody"}

    for call, request in (
        (server.members.GetMember, pb.GetMemberRequest(programme="x", member_id="a")),
        (server.members.ListMemberChanges, pb.ListMemberChangesRequest(programme="x", member_id="a")),
        (server.members.UpsertMembers, pb.UpsertMembersRequest(programme="x", actor="a", updates=[update()])),
    ):
        assert refusal(call, request).reason == "PROGRAMME_NOT_FOUND"


@pytest.mark.parametrize(
    ("wrong", "paths"),
    [
        (pb.MemberUpdate(), ["member"]),
        (update(""), ["member.member_id"]),
        (update("a\0"), ["member.member_id"]),
        (update(attributes={"Age": text("1")}), ["member.attributes.Age"]),
        (update(attributes={"a": AttributeValue()}), ["member.attributes.a"]),
        (update(attributes={"a": AttributeValue(double_value=float("nan"))}), ["member.attributes.a"]),
        (update(attributes={"a": text("x" * 1025)}), ["member.attributes.a"]),
        (update(attributes={f"a{n}": text("1") for n in range(101)}), ["member.attributes"]),
        (update(consents=[Consent(channel_id="e mail", purpose="")]), [
            "member.consents[0].purpose", "member.consents[0].channel_id",
        ]),
        (update(consents=[Consent(purpose="ads"), Consent(purpose="ads")]), ["member.consents[1]"]),
        (update(tier="x" * 129), ["member.tier"]),
        (update(points_balance=-1), ["member.points_balance"]),
        (update(points_expire_time=Timestamp(nanos=-1)), ["member.points_expire_time"]),
        (update(time_zone="Vienna"), ["member.time_zone"]),
        (update(mask=("tier", "member_id", "attributes.age")), ["update_mask.paths[1]", "update_mask.paths[2]"]),
        (update(removed_attributes=["Age"]), ["removed_attributes[0]"]),
        (update(attributes={"a": text("1")}, removed_attributes=["a"]), ["removed_attributes[0]"]),
        (update(removed_consents=[ConsentKey()]), ["removed_consents[0].purpose"]),
        (update(consents=[Consent(purpose="ads")], removed_consents=[ConsentKey(purpose="ads")]), [
            "removed_consents[0]",
        ]),
    ],
    ids=lambda value: None if isinstance(value, pb.MemberUpdate) else " ".join(value),
)  # fmt: skip
def test_wrong_updates(untouched: Running, wrong: pb.MemberUpdate, paths: list[str]) -> None:
    """What breaks the rules is named with its path and its place in the batch; nothing of the batch is kept."""
    answer = refused(untouched, update(), wrong if wrong.member.member_id != "anna" else _renamed(wrong))

    assert answer.code is grpc.StatusCode.INVALID_ARGUMENT
    assert answer.paths == [f"updates[1].{path}" for path in paths]


def _renamed(wrong: pb.MemberUpdate) -> pb.MemberUpdate:
    wrong.member.member_id = "bert"
    return wrong


def test_wrong_requests(untouched: Running) -> None:
    """A request without changes or actor, with too many changes or the same member twice is refused."""
    assert refused(untouched, actor="").paths == ["updates", "actor"]
    many = [update(f"m{number}") for number in range(1001)]
    assert refused(untouched, *many).paths == ["updates"]
    assert refused(untouched, update(), update("bert"), update()).paths == ["updates[2].member.member_id"]


def test_a_member_stays_small(server: Running) -> None:
    """Updates that would together give one member more than the limits are refused whole, with the place in the batch."""
    upsert(server, update(attributes={f"a{number}": text("1") for number in range(100)}))

    request = pb.UpsertMembersRequest(
        updates=[update("bert", tier="gold"), update(attributes={"one_more": text("1")})], actor="crm"
    )
    answer = refusal(server.members.UpsertMembers, request)

    assert answer.paths == ["updates[1].member.attributes"]
    assert (
        refusal(server.members.GetMember, pb.GetMemberRequest(member_id="bert")).reason == "MEMBER_NOT_FOUND"
    )
    assert upsert(server, update(attributes={"one_more": text("1")}, removed_attributes=["a0"])) == (1, 0)


def test_concurrent_upserts(server: Running) -> None:
    """Changes of one member from many clients at once are one after the other: none is lost."""

    def work(number: int) -> tuple[int, int]:
        return upsert(server, update(attributes={f"a{number}": text("1")}))

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(40))) == [(1, 0)] * 40

    known = get(server)
    assert len(known.member.attributes) == known.member_version == 40


def test_next_decision_sees_the_change(tmp_path: Path) -> None:
    """A profile that was acknowledged is in the state that the very next decision reads, before and after a decision."""
    with running(decision_scene.write(tmp_path / "scene")) as server:
        ask = decision_scene.Asking(server)
        for age in (40, 17, 18):
            ask.say("anna", attributes=decision_scene.values(age=age))

            decision = ask.offers("anna")

            assert ("wine" in decision_scene.offered(decision)) is (age >= 18)
        assert server.logged_decision(decision.decision_id)["member_version"] == 6


@pytest.mark.parametrize("statement", ["UPDATE member_changes SET actor = 'x'", "DELETE FROM member_changes"])
def test_the_trail_is_append_only(tmp_path: Path, statement: str) -> None:
    """The file itself refuses to alter or remove an entry of the audit trail."""
    updates = ProfileUpdates("default", [ProfileUpdate("anna")], NOW, "crm", "", "")
    with closing(SqliteEventLog(tmp_path / "log.db")) as log:
        log.update_profiles(updates, RPC_TIMEOUT_S)
    with (
        closing(sqlite3.connect(tmp_path / "log.db")) as connection,
        pytest.raises(sqlite3.IntegrityError, match="append-only"),
    ):
        connection.execute(statement)


def test_attributes_are_of_the_declared_type(tmp_path: Path) -> None:
    """A value that no rule could read is refused with its path; what is not declared may be anything."""
    kinds = {"age": "int", "born": "timestamp", "share": "double"}
    with running(decision_scene.write(tmp_path / "scene", attributes=kinds, offers=[], actions=[])) as server:
        wrong = {"age": text("40"), "born": text("1986-05-01"), "share": AttributeValue(int_value=1)}
        answer = refused(server, update("bert", tier="gold"), update(attributes=wrong))
        right = {"age": AttributeValue(int_value=40), "nickname": text("Ann")}
        changed = upsert(server, update(attributes=right))

    assert answer.code is grpc.StatusCode.INVALID_ARGUMENT
    assert answer.paths == ["updates[1].member.attributes.age", "updates[1].member.attributes.born"]
    assert "is '40'; the catalogue says it is int" in answer.message
    assert changed == (1, 0)
