"""Rules of the protos that buf does not know, over the descriptors that the server serves."""

import importlib
import re
from pathlib import Path
from typing import Any

import pytest
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


@pytest.mark.parametrize("field", FIELDS, ids=_name)
def test_times(field: Any) -> None:
    """A moment is a Timestamp, its name ends in ``_time``, and nothing else is named so."""
    is_time = field.message_type is not None and field.message_type.full_name == "google.protobuf.Timestamp"

    assert field.name.endswith("_time") is is_time
    assert not re.search(r"_(at|ts|timestamp|millis|seconds)$", field.name)


@pytest.mark.parametrize("field", FIELDS, ids=_name)
def test_days(field: Any) -> None:
    """A day of the calendar is a Date, its name ends in ``_date``, and nothing else is named so."""
    is_day = field.message_type is not None and field.message_type.full_name == "google.type.Date"

    assert field.name.endswith("_date") is is_day


@pytest.mark.parametrize("field", FIELDS, ids=_name)
def test_counts(field: Any) -> None:
    """A number of things ends in ``_count`` and is a signed whole number; no other word for it is used."""
    if field.name.endswith("_count"):
        assert field.type in _WHOLE
    assert not re.match(r"(num|number|n|max|min|limit|size)_", field.name)
    assert field.name not in {"limit", "size", "number", "count"}


@pytest.mark.parametrize("field", FIELDS, ids=_name)
def test_no_unsigned_numbers(field: Any) -> None:
    """Unsigned numbers do not exist in several client languages, so none is used."""
    assert field.type not in _UNSIGNED


@pytest.mark.parametrize("field", FIELDS, ids=_name)
def test_money_is_money(field: Any) -> None:
    """Money is ``google.type.Money``; no field of floating numbers is named like an amount."""
    if re.search(r"(value|discount|amount|price|cost|budget)$", field.name) and field.type in {
        FieldDescriptor.TYPE_DOUBLE,
        FieldDescriptor.TYPE_FLOAT,
    }:
        assert field.containing_oneof is not None, "an amount as a floating number"


@pytest.mark.parametrize("field", FIELDS, ids=_name)
def test_ids(field: Any) -> None:
    """An id is text, whatever it looks like today."""
    if field.name.endswith(("_id", "_ids")):
        assert field.type == FieldDescriptor.TYPE_STRING


@pytest.mark.parametrize("field", FIELDS, ids=_name)
def test_no_float(field: Any) -> None:
    """Floating numbers are doubles."""
    assert field.type != FieldDescriptor.TYPE_FLOAT


@pytest.mark.parametrize(
    "field", [field for message in _sent_by_clients() for field in message.fields], ids=_name
)
def test_fields_that_clients_send_say_whether_they_must(field: Any) -> None:
    """Each field of a request, and of what requests hold, is REQUIRED, OPTIONAL or OUTPUT_ONLY, exactly one of them."""
    known = {field_behavior_pb2.REQUIRED, field_behavior_pb2.OPTIONAL, field_behavior_pb2.OUTPUT_ONLY}
    stated = [one for one in _behaviours(field) if one in known]

    assert len(stated) == 1


@pytest.mark.parametrize("method", METHODS, ids=_name)
def test_writing_methods_can_be_retried(method: Any) -> None:
    """A method that writes takes a ``request_id``, or all it writes are events with an ``event_id`` or keys themselves."""
    if method.name.startswith(READING) or method.name in KEYED_BY_CONTENT:
        return
    fields = {field.name: field for field in method.input_type.fields}
    if "request_id" not in fields:
        written = [field.message_type for field in fields.values() if field.message_type is not None]
        assert written
        assert all("event_id" in message.fields_by_name for message in written)


@pytest.mark.parametrize("method", METHODS, ids=_name)
def test_every_request_names_its_programme(method: Any) -> None:
    """The programme is part of every key, so it is the first field of every request."""
    first = min(method.input_type.fields, key=lambda field: field.number)

    assert first.name == "programme"
    assert first.number == 1
    assert _behaviours(first) == [field_behavior_pb2.OPTIONAL]


@pytest.mark.parametrize("enum", ENUMS, ids=_name)
def test_enums_begin_unspecified(enum: Any) -> None:
    """Value 0 of an enum is never sent, so that unset is never mistaken for a choice; values repeat the enum's name."""
    prefix = re.sub(r"(?<!^)(?=[A-Z])", "_", enum.name).upper()

    assert enum.values_by_number[0].name == f"{prefix}_UNSPECIFIED"
    assert all(value.name.startswith(f"{prefix}_") for value in enum.values)


@pytest.mark.parametrize("method", METHODS, ids=_name)
def test_writing_methods_state_their_errors(method: Any) -> None:
    """The comment of each method says which errors it gives."""
    texts = [source.read_text(encoding="utf-8") for source in SOURCES.glob("*.proto")]
    comments = [
        found.group(1)
        for text in texts
        for found in re.finditer(rf"((?:^  //.*\n)+)  rpc {method.name}\(", text, flags=re.MULTILINE)
    ]

    assert len(comments) == 1
    assert "Errors:" in comments[0]
