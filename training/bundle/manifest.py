"""The manifest of a bundle: what the model is, where it came from, and the checksum of every file."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import Any


class BundleError(Exception):
    """A bundle cannot be written or used.

    It is not a domain error, because the bundle package stands alone (numpy and the standard library).

    Attributes:
        message: One sentence that names the bundle and what is wrong with it.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


FORMAT_VERSION = 3
MANIFEST_NAME = "manifest.json"
OFFERS, ACTIONS = "offers", "actions"
"""What a bundle can decide."""

Parameter = str | int | float | bool


@dataclass(frozen=True, slots=True)
class FileEntry:
    """Checksum and size of one file.

    Attributes:
        sha256: Lower-case hexadecimal digest of the content.
        bytes: Size in bytes.
    """

    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """What stands in ``manifest.json``.

    Attributes:
        format_version: Version of the format, 3.
        kind: What the bundle decides: ``offers`` or ``actions``.
        programme: Loyalty programme the model was trained for.
        model_name: Name of the recommender.
        model_version: Unique name of this fitted model; decisions log it.
        run_id: MLflow run that made it, or empty.
        data_fingerprint: SHA-256 of the data set.
        code_version: Git commit of the code that trained it, or ``unknown``.
        feature_time: Time the member features reach to, RFC 3339 in UTC.
        create_time: Time the bundle was written, RFC 3339 in UTC.
        parameters: Settings of the recommender.
        metrics: Validation metrics, finite numbers.
        task: What the model is for; ``actions`` again for a bundle of that kind.
        files: Checksum and size of each array file.
        layout: How the arrays make up the model.
    """

    format_version: int
    kind: str
    programme: str
    model_name: str
    model_version: str
    run_id: str
    data_fingerprint: str
    code_version: str
    feature_time: str
    create_time: str
    parameters: Mapping[str, Parameter]
    metrics: Mapping[str, float]
    task: str
    files: Mapping[str, FileEntry]
    layout: Mapping[str, Any]

    @property
    def feature_instant(self) -> datetime:
        """``feature_time`` as an aware datetime in UTC."""
        return datetime.fromisoformat(self.feature_time).astimezone(UTC)

    def to_json(self) -> str:
        """Return the JSON document, with sorted keys."""
        return json.dumps(asdict(self), indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"


_STRINGS = (
    "kind",
    "programme",
    "model_name",
    "model_version",
    "run_id",
    "data_fingerprint",
    "code_version",
    "feature_time",
    "create_time",
    "task",
)


def rfc3339(instant: datetime) -> str:
    """Return an aware datetime as RFC 3339 in UTC, such as ``2017-12-04T05:00:00Z``.

    Raises:
        BundleError: The datetime has no time zone.
    """
    if instant.tzinfo is None:
        raise BundleError(f"The time {instant.isoformat()} has no time zone.")
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def parse_manifest(source: str, text: str, kind: str = OFFERS) -> Manifest:
    """Read a manifest.

    Args:
        source: Path of the bundle, named in errors.
        text: Content of ``manifest.json``.
        kind: What the bundle must decide.

    Returns:
        The manifest.

    Raises:
        BundleError: The text is not a JSON object, a field is missing or has the wrong type, or the format version or
            kind is one that this code does not read.
    """
    try:
        document = json.loads(text)
    except ValueError as error:
        raise BundleError(f"The bundle {source} has a {MANIFEST_NAME} that is not JSON: {error}.") from error
    if not isinstance(document, dict):
        raise BundleError(f"The bundle {source} has a {MANIFEST_NAME} that is not a JSON object.")
    version = document.get("format_version")
    if version != FORMAT_VERSION:
        raise BundleError(
            f"The bundle {source} has format version {version!r}; this Troth reads version {FORMAT_VERSION}."
        )
    missing = [field.name for field in fields(Manifest) if field.name not in document]
    if missing:
        raise BundleError(f"The bundle {source} has a {MANIFEST_NAME} without {', '.join(missing)}.")
    for name in _STRINGS:
        if not isinstance(document[name], str):
            raise BundleError(f"The bundle {source} has a {MANIFEST_NAME} where {name} is not a string.")
    if document["kind"] != kind:
        raise BundleError(f"The bundle {source} is of kind {document['kind']!r}; expected {kind!r}.")
    if not isinstance(document["layout"], dict):
        raise BundleError(f"The bundle {source} has a {MANIFEST_NAME} where layout is not an object.")
    _parse_time(source, document["feature_time"])
    return Manifest(
        **{name: document[name] for name in _STRINGS},
        format_version=FORMAT_VERSION,
        parameters=_parse_parameters(source, document["parameters"]),
        metrics=_parse_metrics(source, document["metrics"]),
        files=_parse_files(source, document["files"]),
        layout=document["layout"],
    )


def _parse_time(source: str, text: str) -> None:
    try:
        aware = datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        aware = False
    if not aware:
        raise BundleError(f"The bundle {source} has a feature_time {text!r} that is not an RFC 3339 time.")


def _parse_parameters(source: str, value: Any) -> dict[str, Parameter]:
    if not isinstance(value, dict) or not all(isinstance(v, str | int | float) for v in value.values()):
        raise BundleError(
            f"The bundle {source} has a {MANIFEST_NAME} where parameters is not a map of plain values."
        )
    return value


def _parse_metrics(source: str, value: Any) -> dict[str, float]:
    if not isinstance(value, dict) or not all(
        isinstance(v, int | float) and math.isfinite(v) for v in value.values()
    ):
        raise BundleError(
            f"The bundle {source} has a {MANIFEST_NAME} where metrics is not a map of finite numbers."
        )
    return {name: float(number) for name, number in value.items()}


def _parse_files(source: str, value: Any) -> dict[str, FileEntry]:
    entries = value if isinstance(value, dict) else {"": None}
    files = {}
    for name, entry in entries.items():
        sha256 = entry.get("sha256") if isinstance(entry, dict) else None
        size = entry.get("bytes") if isinstance(entry, dict) else None
        if not isinstance(sha256, str) or not isinstance(size, int):
            raise BundleError(
                f"The bundle {source} has a {MANIFEST_NAME} where files is not a map of sha256 and bytes per file."
            )
        files[name] = FileEntry(sha256=sha256, bytes=size)
    return files
