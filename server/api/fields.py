"""What requests of several services have in common: pages, persons and attributes, who asks for a change, times, deadlines."""

import base64
import binascii
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, cast

import grpc
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from experiments.log.events import to_micros
from server.api.checks import Checker
from server.handlers.assignments import Subject
from server.handlers.changes import Provenance
from troth.v1 import assignment_pb2

DEFAULT_PAGE_SIZE = 50
LARGEST_PAGE_SIZE = 100


@dataclass(frozen=True, slots=True)
class ListPage:
    """Where a page begins and how long it may be.

    Attributes:
        after: The last entry of the page before; empty for the first page.
        size: Entries at most.
    """

    after: str
    size: int


def page(check: Checker, page_size: int, page_token: str, *listed: str) -> ListPage:
    """Return the page that a request asks for.

    Args:
        check: Notes what is wrong.
        page_size: As sent.
        page_token: As sent.
        listed: What the list is of; a token of another list is refused.
    """
    check.count("page_size", page_size)
    size = min(page_size or DEFAULT_PAGE_SIZE, LARGEST_PAGE_SIZE)
    if not page_token:
        return ListPage("", size)
    try:
        digest, after = json.loads(base64.urlsafe_b64decode(page_token.encode()))
        known = isinstance(after, str) and digest == _digest(listed)
    except (ValueError, TypeError, binascii.Error):
        known = False
    if not known:
        check.add("page_token", "is not a next_page_token of this list; leave it out to begin anew")
        return ListPage("", size)
    return ListPage(after, size)


def next_page_token(after: str, *listed: str) -> str:
    """Return the token of the page that begins after an entry."""
    return base64.urlsafe_b64encode(json.dumps([_digest(listed), after]).encode()).decode()


def _digest(listed: tuple[str, ...]) -> str:
    return hashlib.sha256("\0".join(listed).encode()).hexdigest()[:16]


MAX_ATTRIBUTES = 100
_MAX_TEXTS = 100


class _NamesPerson(Protocol):
    """A message that says who is asked about."""

    member_id: str
    anonymous_id: str

    @property
    def attributes(self) -> Mapping[str, assignment_pb2.AttributeValue]: ...


def person(check: Checker, prefix: str, message: _NamesPerson) -> Subject:
    """Return the person that a message names, by their member id, their anonymous id or both.

    Args:
        check: Gathers what is wrong.
        prefix: Path of the message, with its dot.
        message: The message.
    """
    member_id, anonymous_id = message.member_id, message.anonymous_id
    if not member_id and not anonymous_id:
        check.add(f"{prefix}member_id", "is required, unless anonymous_id is given")
    check.member_id(f"{prefix}member_id", member_id)
    check.member_id(f"{prefix}anonymous_id", anonymous_id)
    return Subject(member_id, anonymous_id, attributes(check, f"{prefix}attributes", message.attributes))


def attributes(
    check: Checker, path: str, messages: Mapping[str, assignment_pb2.AttributeValue]
) -> Mapping[str, object]:
    """Return attributes as values of Python, by name.

    Args:
        check: Gathers what is wrong.
        path: The field's path, for problems.
        messages: Attributes by name.
    """
    if len(messages) > MAX_ATTRIBUTES:
        check.add(path, f"has {len(messages)} entries; at most {MAX_ATTRIBUTES} are taken")
        return {}
    return {name: _value(check, f"{path}.{name}", message) for name, message in messages.items()}


def _value(check: Checker, path: str, message: assignment_pb2.AttributeValue) -> object:
    kind = message.WhichOneof("value")
    if kind is None:
        check.add(path, "must hold a value; leave out what is not known")
        return None
    if kind == "moment_time":
        return check.time(path, message, "moment_time")
    if kind == "string_list":
        check.size(path, len(message.string_list.texts), _MAX_TEXTS)
        return tuple(message.string_list.texts)
    if kind == "double_value" and not math.isfinite(message.double_value):
        check.add(path, "must be a finite number")
    value: object = getattr(message, kind)
    return value


class _Change(Protocol):
    actor: str
    request_id: str


def provenance(check: Checker, message: _Change) -> Provenance:
    """Return where a change comes from; equal requests have equal digests, whatever their ``request_id``."""
    check.member_id("actor", message.actor)
    check.identifier("request_id", message.request_id)
    asked = type(cast(Message, message))()
    asked.CopyFrom(cast(Message, message))
    asked.ClearField("request_id")
    content = f"{asked.DESCRIPTOR.full_name}\0".encode() + asked.SerializeToString(deterministic=True)
    return Provenance(message.actor, message.request_id, hashlib.sha256(content).hexdigest()[:32])


def set_time(message: Timestamp, time: datetime) -> None:
    """Fill in a time, exact to the microsecond."""
    seconds, micros = divmod(to_micros(time), 1_000_000)
    message.seconds = seconds
    message.nanos = micros * 1000


DEFAULT_TIMEOUT_S = 5.0
"""How long the log may take where the client set no deadline."""

_LONGEST_TIMEOUT_S = 3600.0
_MARGIN_S = 0.005


def seconds_left(context: grpc.ServicerContext, default: float = DEFAULT_TIMEOUT_S) -> float:
    """Return the seconds that the log may take: a little less than the client's deadline."""
    remaining = context.time_remaining()
    # Where the client set no deadline, gRPC tells some billion years rather than none.
    if remaining is None or remaining > _LONGEST_TIMEOUT_S:
        return default
    return max(remaining - _MARGIN_S, 0.0)
