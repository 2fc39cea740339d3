"""What is said about a training job and its models, in plain values."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

Parameter = str | int | float | bool


@dataclass(frozen=True)
class ModelRecord:
    """What one model's run holds.

    Attributes:
        name: Name of the recommender.
        parameters: Its settings.
        metrics: Numbers by name.
        tags: Tags by name.
        note: Model card in Markdown.
        documents: JSON documents by file name.
        plots: Images (PNG) by file name.
        write_bundle: Called with the run id and a folder that does not exist; writes the bundle there.
        example_members: Members for the input example.
    """

    name: str
    parameters: Mapping[str, Parameter]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    note: str
    write_bundle: Callable[[str, Path], None]
    example_members: tuple[str, ...]
    documents: Mapping[str, object] = field(default_factory=dict)
    plots: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class RecordedModel:
    """Where a model was recorded.

    Attributes:
        run_id: MLflow run.
        version: Version in the registry, ascending from 1.
    """

    run_id: str
    version: str


@dataclass(frozen=True)
class ParentRecord:
    """What the run that compares the models holds.

    Attributes:
        champion: Name of the best model.
        version: Registry version of the best model.
        metrics: Numbers by name.
        tags: Tags by name.
        note: Comparison in Markdown.
        documents: JSON documents by file name.
        plots: Images (PNG) by file name.
    """

    champion: str
    version: str
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    note: str
    documents: Mapping[str, object]
    plots: Mapping[str, bytes]
