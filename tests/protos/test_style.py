"""Rules of the protos that buf does not know, over the descriptors that the server serves."""

import importlib
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from google.api import field_behavior_pb2
from google.protobuf.descriptor import FieldDescriptor

SOURCES = Path(__file__).parents[2] / "protos" / "troth" / "v1"
FILES: list[Any] = [
    importlib.import_module(f"troth.v1.{source.stem}_pb2").DESCRIPTOR
    for source in sorted(SOURCES.glob("*.proto"))
]
MESSAGES: list[Any] = [message for file in FILES for message in file.message_types_by_name.values()]
FIELDS: list[Any] = [field for message in MESSAGES for field in message.fields]
ENUMS: list[Any] = [enum for file in FILES for enum in file.enum_types_by_name.values()]
METHODS: list[Any] = [
    method for file in FILES for service in file.services_by_name.values() for method in service.methods
]
READING = ("Explain", "Get", "List", "Measure", "Replay", "Stream")
"""Methods whose names begin so change nothing."""
KEYED_BY_CONTENT = {"DecideCampaign", "LinkIdentities"}
"""Methods whose content is the key of what they write, so that a repeat changes nothing."""

_UNSIGNED = {
    FieldDescriptor.TYPE_UINT32,
    FieldDescriptor.TYPE_UINT64,
    FieldDescriptor.TYPE_FIXED32,
    FieldDescriptor.TYPE_FIXED64,
}
_WHOLE = {FieldDescriptor.TYPE_INT32, FieldDescriptor.TYPE_INT64}
_FLOATING = {FieldDescriptor.TYPE_DOUBLE, FieldDescriptor.TYPE_FLOAT}


def _name(descriptor: Any) -> str:
    return str(descriptor.full_name)


def _behaviours(field: Any) -> list[int]:
    return list(field.GetOptions().Extensions[field_behavior_pb2.field_behavior])


def _sent_by_clients() -> list[Any]:
    """Return the messages of requests and what they hold, ours only."""
    found: dict[str, Any] = {}
    waiting = [method.input_type for method in METHODS]
    while waiting:
        message = waiting.pop()
        if message.full_name not in found and message.file.package == "troth.v1":
            if not message.GetOptions().map_entry:
                found[message.full_name] = message
            waiting += [field.message_type for field in message.fields if field.message_type is not None]
    return list(found.values())


def _is_a(field: Any, message: str) -> bool:
    return field.message_type is not None and field.message_type.full_name == message


def _offenders(descriptors: Iterable[Any], keeps: Callable[[Any], bool]) -> list[str]:
    """Return the names of those that break a rule, and insist that there is something for the rule to hold for."""
    checked = list(descriptors)
    assert checked, "nothing that the rule speaks of"
    return [_name(one) for one in checked if not keeps(one)]


def test_there_is_something_to_check() -> None:
    """The walk over the descriptors finds the services that the contract names."""
    assert {_name(method) for method in METHODS} >= {
        "troth.v1.RecommendationService.RecommendOffers",
        "troth.v1.ExperimentService.GetAssignments",
        "troth.v1.ExperimentService.StreamAssignments",
        "troth.v1.ExperimentService.UpdateExperiment",
        "troth.v1.OutcomeService.LogExposures",
        "troth.v1.OutcomeService.LogOutcomes",
    }
    assert len(FIELDS) > 50
    assert {_name(message) for message in _sent_by_clients()} >= {"troth.v1.Exposure", "troth.v1.Outcome"}


def test_times() -> None:
    """A moment is a Timestamp, its name ends in ``_time``, and nothing else is named so."""
    assert not _offenders(
        FIELDS, lambda field: field.name.endswith("_time") is _is_a(field, "google.protobuf.Timestamp")
    )
    assert not _offenders(
        FIELDS, lambda field: not re.search(r"_(at|ts|timestamp|millis|seconds)$", field.name)
    )


def test_days() -> None:
    """A day of the calendar is a Date, its name ends in ``_date``, and nothing else is named so."""
    assert not _offenders(
        FIELDS, lambda field: field.name.endswith("_date") is _is_a(field, "google.type.Date")
    )


def test_counts() -> None:
    """A number of things ends in ``_count`` and is a signed whole number; no other word for it is used."""
    counts = [field for field in FIELDS if field.name.endswith("_count")]
    other_words = {"limit", "size", "number", "count"}

    assert not _offenders(counts, lambda field: field.type in _WHOLE)
    assert not _offenders(
        FIELDS, lambda field: not re.match(r"(num|number|n|max|min|limit|size)_", field.name)
    )
    assert not _offenders(FIELDS, lambda field: field.name not in other_words)


def test_no_unsigned_numbers() -> None:
    """Unsigned numbers do not exist in several client languages, so none is used."""
    assert not _offenders(FIELDS, lambda field: field.type not in _UNSIGNED)


def test_money_is_money() -> None:
    """Money is ``google.type.Money``; a floating number is named like an amount only as one of several kinds of value."""
    amounts = [
        field
        for field in FIELDS
        if re.search(r"(value|discount|amount|price|cost|budget)$", field.name) and field.type in _FLOATING
    ]

    assert not _offenders(amounts, lambda field: field.containing_oneof is not None)
    assert any(_is_a(field, "google.type.Money") for field in FIELDS)


def test_ids() -> None:
    """An id is text, whatever it looks like today."""
    ids = [field for field in FIELDS if field.name.endswith(("_id", "_ids"))]

    assert not _offenders(ids, lambda field: field.type == FieldDescriptor.TYPE_STRING)


def test_no_float() -> None:
    """Floating numbers are doubles."""
    assert not _offenders(FIELDS, lambda field: field.type != FieldDescriptor.TYPE_FLOAT)


def test_fields_that_clients_send_say_whether_they_must() -> None:
    """Each field of a request, and of what requests hold, is REQUIRED, OPTIONAL or OUTPUT_ONLY, exactly one of them."""
    known = {field_behavior_pb2.REQUIRED, field_behavior_pb2.OPTIONAL, field_behavior_pb2.OUTPUT_ONLY}
    sent = [field for message in _sent_by_clients() for field in message.fields]

    assert not _offenders(sent, lambda field: sum(one in known for one in _behaviours(field)) == 1)


def _holds_keyed_events(method: Any) -> bool:
    written = [field.message_type for field in method.input_type.fields if field.message_type is not None]
    return bool(written) and all("event_id" in message.fields_by_name for message in written)


def test_writing_methods_can_be_retried() -> None:
    """A method that writes takes a ``request_id``, or all it writes are events with an ``event_id`` or keys themselves."""
    writing = [
        method
        for method in METHODS
        if not method.name.startswith(READING) and method.name not in KEYED_BY_CONTENT
    ]

    assert not _offenders(
        writing,
        lambda method: "request_id" in method.input_type.fields_by_name or _holds_keyed_events(method),
    )


def _programme_first(method: Any) -> bool:
    first = min(method.input_type.fields, key=lambda field: field.number)
    return (
        first.name == "programme"
        and first.number == 1
        and _behaviours(first) == [field_behavior_pb2.OPTIONAL]
    )


def test_every_request_names_its_programme() -> None:
    """The programme is part of every key, so it is the first field of every request."""
    assert not _offenders(METHODS, _programme_first)


def _begins_unspecified(enum: Any) -> bool:
    prefix = re.sub(r"(?<!^)(?=[A-Z])", "_", enum.name).upper()
    return enum.values_by_number[0].name == f"{prefix}_UNSPECIFIED" and all(
        value.name.startswith(f"{prefix}_") for value in enum.values
    )


def test_enums_begin_unspecified() -> None:
    """Value 0 of an enum is never sent, so that unset is never mistaken for a choice; values repeat the enum's name."""
    assert not _offenders(ENUMS, _begins_unspecified)


def test_methods_state_their_errors() -> None:
    """The comment of each method says which errors it gives."""
    texts = [source.read_text(encoding="utf-8") for source in sorted(SOURCES.glob("*.proto"))]

    def comments(method: Any) -> list[str]:
        pattern = rf"((?:^  //.*\n)+)  rpc {method.name}\("
        return [found.group(1) for text in texts for found in re.finditer(pattern, text, flags=re.MULTILINE)]

    assert not _offenders(METHODS, lambda method: len(comments(method)) == 1)
    assert not _offenders(METHODS, lambda method: "Errors:" in comments(method)[0])
