"""The analysis of an experiment, to the wire."""

import math
from collections.abc import Mapping
from typing import Any, cast

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from server.api.definition import enum_number
from server.convert.times import set_time
from server.handlers.results import Analysed
from troth.v1 import experiment_service_pb2


def results_response(analysed: Analysed) -> experiment_service_pb2.GetExperimentResultsResponse:
    """Return the answer to ``GetExperimentResults``."""
    response = experiment_service_pb2.GetExperimentResultsResponse()
    fill(response.results, analysed.document)
    set_time(response.results.analyze_time, analysed.analyze_time)
    return response


def fill(message: Message, document: Mapping[str, Any]) -> None:
    """Set the fields of a message that the result's JSON document has under the same names; null stays unset.

    The document may have more: the messages hold what clients decide by.
    """
    for field in cast(Descriptor, message.DESCRIPTOR).fields:
        value = document.get(field.name)
        if value is not None:
            _set(message, field, value)


def _set(message: Message, field: FieldDescriptor, value: Any) -> None:
    target = getattr(message, field.name)
    if isinstance(value, Mapping):
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            target.update({name: entry for name, entry in value.items() if entry is not None})
        else:
            target.SetInParent()
            fill(target, value)
    elif isinstance(value, list):
        for entry in value:
            if isinstance(entry, Mapping):
                fill(target.add(), entry)
            else:
                target.append(entry)
    elif field.enum_type is not None:
        setattr(message, field.name, enum_number(field.enum_type, value))
    elif field.type != FieldDescriptor.TYPE_DOUBLE or math.isfinite(value):
        setattr(message, field.name, value)
