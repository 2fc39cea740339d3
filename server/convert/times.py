"""Moments, to the wire."""

from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from experiments.log.events import to_micros


def set_time(message: Timestamp, time: datetime) -> None:
    """Fill in a time, exact to the microsecond."""
    seconds, micros = divmod(to_micros(time), 1_000_000)
    message.seconds = seconds
    message.nanos = micros * 1000
