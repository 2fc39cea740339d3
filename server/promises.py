"""What was promised of a policy: kept with the catalogue revision that it is about, and held against what was measured."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from experiments.errors import AnalysisError
from experiments.off_policy.evaluation import PolicyEvaluation
from experiments.off_policy.promise import (
    MeasuredValue,
    Promise,
    PromiseComparison,
    compare_promise,
    promise_of,
)
from server.programme.configured import read_programme
from server.storage.catalogue_store import CatalogueFile
from server.storage.promises import PromiseFile


@dataclass(frozen=True, slots=True)
class PromiseCheck:
    """A promise, and how it was kept."""

    promise: Promise
    kept: PromiseComparison


def keep_promise(
    found: PolicyEvaluation, config: Path, *, programme: str, revision: str, fingerprint: str
) -> None:
    """Keep the predicted value of a policy with a catalogue revision.

    Args:
        found: The evaluation.
        config: The server's configuration.
        programme: The programme; the only one if empty.
        revision: Of the catalogue.
        fingerprint: Of the log that the evaluation rests on.

    Raises:
        AnalysisError: The log knows no such revision, or there is nothing to promise.
        OptionError: The programme must be named.
    """
    source = read_programme(config, programme)
    file = PromiseFile(source.log)
    if CatalogueFile(source.log).catalogue_at(source.programme, revision) is None:
        raise AnalysisError(
            f"The log knows no catalogue revision {revision!r} of programme {source.programme!r}."
        )
    file.keep(
        promise_of(
            found,
            programme=source.programme,
            revision=revision,
            fingerprint=fingerprint,
            time=datetime.now(UTC),
        )
    )


def check_promise(measured: MeasuredValue, config: Path, *, programme: str, revision: str) -> PromiseCheck:
    """Hold the last promise about a revision against what was measured.

    Args:
        measured: By an experiment.
        config: The server's configuration.
        programme: The programme; the only one if empty.
        revision: Of the catalogue.

    Returns:
        The promise, and whether it agrees with what was measured.

    Raises:
        AnalysisError: Nothing was kept with this revision.
        OptionError: The programme must be named.
    """
    source = read_programme(config, programme)
    promises = PromiseFile(source.log).of(source.programme, revision)
    if not promises:
        raise AnalysisError(
            f"Nothing was kept with revision {revision!r} of programme {source.programme!r};"
            " `troth policy evaluate --revision` does that."
        )
    return PromiseCheck(promises[-1], compare_promise(promises[-1], measured))
