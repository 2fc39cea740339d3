"""What is said of a member, to the wire."""

from datetime import datetime

from experiments.rules import AttributeValue
from server.convert.times import set_time
from server.members import MemberProfile
from server.members.change import ProfileUpdate
from troth.v1 import assignment_pb2, member_pb2, member_service_pb2


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
