"""Who asks for a change, and what tells a retry from another request."""

import hashlib
from typing import Protocol, cast

from google.protobuf.message import Message

from server.api.checks import Checker
from server.handlers.change_runner import Provenance


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
