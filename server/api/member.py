"""``MemberService``: parses its messages, calls the handler, replies."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import grpc

from experiments.rules import AttributeValue
from server.api.checks import DEFAULT_PROGRAMME, Checker
from server.api.fields import ListPage, next_page_token, page, provenance, seconds_left, set_time
from server.api.fields import attributes as attribute_values
from server.catalogue.base import time_zones
from server.catalogue.limits import DECISION
from server.handlers.changes import Provenance
from server.handlers.members import KnownMember, MemberHandler
from server.members import MemberProfile, MemberState
from server.members.profile import MAX_ATTRIBUTES, MAX_CONSENTS, ProfileChange, ProfileUpdate
from server.members.state import NEVER, PURCHASE, REDEMPTION
from server.storage import UpdateResult
from troth.v1 import assignment_pb2, member_pb2, member_service_pb2, member_service_pb2_grpc
from troth.v1 import member_service_pb2 as pb


def member_message(member_id: str, profile: MemberProfile) -> member_pb2.Member:
    """Return the message of a member."""
    message = member_pb2.Member(
        member_id=member_id,
        consents=[
            member_pb2.Consent(channel_id=channel_id, purpose=purpose, granted=granted)
            for (channel_id, purpose), granted in sorted(profile.consents.items())
        ],
        tier=profile.tier,
        points_balance=profile.points_balance,
        time_zone=profile.time_zone,
    )
    for name, value in profile.attributes.items():
        _set_attribute(message.attributes[name], value)
    if profile.points_expire_time is not None:
        set_time(message.points_expire_time, profile.points_expire_time)
    return message


def _set_attribute(message: assignment_pb2.AttributeValue, value: AttributeValue) -> None:
    if isinstance(value, bool):
        message.bool_value = value
    elif isinstance(value, str):
        message.string_value = value
    elif isinstance(value, int):
        message.int_value = value
    elif isinstance(value, float):
        message.double_value = value
    elif isinstance(value, datetime):
        set_time(message.moment_time, value)
    elif value is not None:
        message.string_list.SetInParent()
        message.string_list.texts.extend(value)


def update_message(update: ProfileUpdate) -> member_service_pb2.MemberUpdate:
    """Return the message of an update that gives values and takes none away."""
    said = update.applied_to(MemberProfile())
    return member_service_pb2.MemberUpdate(member=member_message(update.member_id, said))


LARGEST_BATCH = 1000
_LONGEST_TEXT = 1024
_MAPS = ("attributes", "consents")
_VALUES = ("tier", "points_balance", "points_expire_time", "time_zone")
_CHANGES = "member changes"


@dataclass(frozen=True, slots=True)
class UpsertRequest:
    """A checked request to change members.

    Attributes:
        programme: The loyalty programme.
        updates: What changes, each of another member.
        provenance: Where it comes from.
    """

    programme: str
    updates: Sequence[ProfileUpdate]
    provenance: Provenance


def upsert_request(message: member_service_pb2.UpsertMembersRequest) -> UpsertRequest:
    """Return the checked request to change members.

    Raises:
        InvalidRequestError: Fields break the rules that the proto states; nothing of the batch is taken.
    """
    check = Checker()
    check.require(message)
    check.identifier("programme", message.programme)
    check.size("updates", len(message.updates), LARGEST_BATCH)
    origin = provenance(check, message)
    updates = []
    named: set[str] = set()
    for index, one in enumerate(message.updates[:LARGEST_BATCH]):
        prefix = f"updates[{index}]."
        updates.append(_update(check, prefix, one))
        if one.member.member_id in named:
            check.add(f"{prefix}member.member_id", "is named before; join the changes of one member")
        named.add(one.member.member_id)
    check.done()
    return UpsertRequest(message.programme or DEFAULT_PROGRAMME, updates, origin)


def upsert_response(result: UpdateResult) -> member_service_pb2.UpsertMembersResponse:
    """Return the answer to ``UpsertMembers``."""
    return member_service_pb2.UpsertMembersResponse(
        changed_count=result.changed_count, unchanged_count=result.unchanged_count
    )


def get_request(message: member_service_pb2.GetMemberRequest) -> tuple[str, str]:
    """Return the programme and the member that is asked for.

    Raises:
        InvalidRequestError: Fields break the rules that the proto states.
    """
    check = Checker()
    check.require(message)
    check.identifier("programme", message.programme)
    check.member_id("member_id", message.member_id)
    check.done()
    return message.programme or DEFAULT_PROGRAMME, message.member_id


def get_response(known: KnownMember) -> member_service_pb2.GetMemberResponse:
    """Return the answer to ``GetMember``."""
    state = known.state
    response = member_service_pb2.GetMemberResponse(
        member=member_message(state.member_id, state.profile),
        member_version=state.version,
        activity=_activity(state),
    )
    if known.update_time is not None:
        set_time(response.update_time, known.update_time)
    return response


def changes_request(message: member_service_pb2.ListMemberChangesRequest) -> tuple[str, str, ListPage]:
    """Return the programme, the member and the page of their changes.

    Raises:
        InvalidRequestError: Fields break the rules that the proto states.
    """
    check = Checker()
    check.require(message)
    check.identifier("programme", message.programme)
    check.member_id("member_id", message.member_id)
    programme = message.programme or DEFAULT_PROGRAMME
    wanted = page(check, message.page_size, message.page_token, _CHANGES, programme, message.member_id)
    check.done()
    return programme, message.member_id, wanted


def changes_response(
    programme: str, member_id: str, size: int, found: Sequence[ProfileChange]
) -> member_service_pb2.ListMemberChangesResponse:
    """Return a page of the audit trail; ``found`` may hold one change of the next page.

    Args:
        programme: The loyalty programme.
        member_id: The member.
        size: How many changes the page holds at most.
        found: The changes, oldest first.
    """
    response = member_service_pb2.ListMemberChangesResponse(
        changes=[_change(change) for change in found[:size]]
    )
    if len(found) > size:
        last = str(found[size - 1].member_version)
        response.next_page_token = next_page_token(last, _CHANGES, programme, member_id)
    return response


def _update(check: Checker, prefix: str, message: member_service_pb2.MemberUpdate) -> ProfileUpdate:
    check.require(message, prefix)
    member, inside = message.member, f"{prefix}member."
    if message.HasField("member"):
        check.require(member, inside)
    check.member_id(inside + "member_id", member.member_id)
    attributes = _attributes(check, inside, member.attributes)
    consents = _consents(check, inside, member.consents)
    values = _values(check, inside, member)
    names = _masked(check, prefix, message, values)
    check.size(prefix + "removed_attributes", len(message.removed_attributes), MAX_ATTRIBUTES)
    check.size(prefix + "removed_consents", len(message.removed_consents), MAX_CONSENTS)
    for index, name in enumerate(message.removed_attributes[:MAX_ATTRIBUTES]):
        check.attribute_name(f"{prefix}removed_attributes[{index}]", name)
        if name in attributes:
            check.add(f"{prefix}removed_attributes[{index}]", f"{name!r} is given a value in the same update")
    for index, key in enumerate(message.removed_consents[:MAX_CONSENTS]):
        where = f"{prefix}removed_consents[{index}]"
        _consent_key(check, where, key)
        if (key.channel_id, key.purpose) in consents:
            check.add(where, "is given in the same update")
    return ProfileUpdate(
        member_id=member.member_id,
        attributes={
            **(attributes if "attributes" in names else {}),
            **dict.fromkeys(message.removed_attributes),
        },
        consents={
            **(consents if "consents" in names else {}),
            **{(key.channel_id, key.purpose): None for key in message.removed_consents},
        },
        values={name: values[name] for name in _VALUES if name in names},
    )


def _masked(
    check: Checker, prefix: str, message: member_service_pb2.MemberUpdate, values: Mapping[str, Any]
) -> frozenset[str]:
    """Return the fields that a mask names; those that are set if it is empty."""
    paths = message.update_mask.paths
    if not paths:
        return frozenset((*_MAPS, *(name for name in _VALUES if values[name] not in ("", None))))
    for index, path in enumerate(paths):
        if path not in _MAPS and path not in _VALUES:
            known = ", ".join((*_MAPS, *_VALUES))
            check.add(f"{prefix}update_mask.paths[{index}]", f"{path[:64]!r} cannot change; name {known}")
    return frozenset(paths)


def _attributes(
    check: Checker, inside: str, messages: Mapping[str, assignment_pb2.AttributeValue]
) -> dict[str, Any]:
    path = inside + "attributes"
    values = dict(attribute_values(check, path, messages))
    for name, value in values.items():
        check.attribute_name(f"{path}.{name[:64]}", name)
        texts = [value] if isinstance(value, str) else value if isinstance(value, tuple) else ()
        if any(len(text) > _LONGEST_TEXT for text in texts):
            check.add(f"{path}.{name}", f"a text may have at most {_LONGEST_TEXT} characters")
    return values


def _consents(
    check: Checker, inside: str, messages: Sequence[member_pb2.Consent]
) -> dict[tuple[str, str], bool]:
    check.size(inside + "consents", len(messages), MAX_CONSENTS)
    consents: dict[tuple[str, str], bool] = {}
    for index, message in enumerate(messages[:MAX_CONSENTS]):
        where = f"{inside}consents[{index}]"
        _consent_key(check, where, message)
        key = (message.channel_id, message.purpose)
        if key in consents:
            check.add(where, "says something for the same channel and purpose as one before")
        consents[key] = message.granted
    return consents


def _consent_key(check: Checker, where: str, message: member_pb2.Consent | member_pb2.ConsentKey) -> None:
    check.require(message, f"{where}.")
    check.catalogue_id(f"{where}.channel_id", message.channel_id)
    check.catalogue_id(f"{where}.purpose", message.purpose)


def _values(check: Checker, inside: str, member: member_pb2.Member) -> dict[str, Any]:
    check.identifier(inside + "tier", member.tier)
    if member.points_balance < 0:
        check.add(inside + "points_balance", f"is {member.points_balance}; must be 0 or more")
    if member.time_zone and member.time_zone not in time_zones():
        check.add(
            inside + "time_zone",
            f"{member.time_zone[:64]!r} is not a time zone of the IANA database; one is Europe/Vienna",
        )
    return {
        "tier": member.tier,
        "points_balance": member.points_balance if member.HasField("points_balance") else None,
        "points_expire_time": check.time(inside + "points_expire_time", member, "points_expire_time"),
        "time_zone": member.time_zone,
    }


def _activity(state: MemberState) -> member_pb2.MemberActivity:
    contacts = {
        channel: tally.total for (event, channel), tally in state.by_channel.items() if event == DECISION
    }
    return member_pb2.MemberActivity(
        purchase_count=state.by_event.get(PURCHASE, NEVER).total,
        redemption_count=state.by_event.get(REDEMPTION, NEVER).total,
        contacts=[
            member_pb2.ChannelContacts(channel_id=channel_id, contact_count=count)
            for channel_id, count in sorted(contacts.items())
        ],
    )


def _change(change: ProfileChange) -> member_pb2.MemberChange:
    message = member_pb2.MemberChange(
        member_id=change.member_id,
        member_version=change.member_version,
        actor=change.actor,
        request_id=change.request_id,
        after=member_message(change.member_id, change.after),
    )
    set_time(message.change_time, change.change_time)
    if change.before is not None:
        message.before.CopyFrom(member_message(change.member_id, change.before))
    return message


class MemberServicer(member_service_pb2_grpc.MemberServiceServicer):
    """``troth.v1.MemberService``."""

    def __init__(self, handler: MemberHandler) -> None:
        self._handler = handler

    def UpsertMembers(  # noqa: N802 the proto's name
        self, request: pb.UpsertMembersRequest, context: grpc.ServicerContext
    ) -> pb.UpsertMembersResponse:
        """Change members, then acknowledge."""
        wanted = upsert_request(request)
        result = self._handler.upsert(
            wanted.programme, wanted.updates, wanted.provenance, seconds_left(context)
        )
        return upsert_response(result)

    def GetMember(  # noqa: N802 the proto's name
        self,
        request: pb.GetMemberRequest,
        context: grpc.ServicerContext,  # noqa: ARG002 gRPC passes it
    ) -> pb.GetMemberResponse:
        """Tell what is known of a member."""
        return get_response(self._handler.get(*get_request(request)))

    def ListMemberChanges(  # noqa: N802 the proto's name
        self,
        request: pb.ListMemberChangesRequest,
        context: grpc.ServicerContext,  # noqa: ARG002 gRPC passes it
    ) -> pb.ListMemberChangesResponse:
        """Return a page of the audit trail."""
        programme, member_id, page = changes_request(request)
        found = self._handler.changes(programme, member_id, int(page.after or 0), page.size + 1)
        return changes_response(programme, member_id, page.size, found)
