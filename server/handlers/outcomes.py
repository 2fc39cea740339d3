"""Taking in exposures and outcomes."""

from collections.abc import Callable, Sequence

from experiments.log.events import Exposure, Outcome
from server.catalogue.checks import channel_problems
from server.errors import InvalidRequestError
from server.programme.programmes import Programmes
from server.storage import AppendResult, EventLog


class EventHandler:
    """Answers ``LogExposures`` and ``LogOutcomes``.

    Args:
        programmes: Tells which programmes there are.
        log: Where the events go before they are acknowledged.
        on_events: Called with programme, kind of event and result after each batch.
    """

    def __init__(
        self, programmes: Programmes, log: EventLog, on_events: Callable[[str, str, AppendResult], None]
    ) -> None:
        self._programmes = programmes
        self._log = log
        self._on_events = on_events

    def log_exposures(self, programme: str, exposures: Sequence[Exposure], timeout: float) -> AppendResult:
        """Keep exposures; return once they are on disk.

        Args:
            programme: The loyalty programme.
            exposures: Who met which variant.
            timeout: Seconds that the store may take.

        Returns:
            How many were new.

        Raises:
            ProgrammeNotFoundError: Unknown programme.
            StoreUnavailableError, StoreTimeoutError: They could not be logged.
        """
        self._programmes.current(programme)
        result = self._log.append_exposures(exposures, timeout)
        self._on_events(programme, "exposure", result)
        return result

    def log_outcomes(self, programme: str, outcomes: Sequence[Outcome], timeout: float) -> AppendResult:
        """Keep outcomes, attributed or not; return once they are on disk.

        Args:
            programme: The loyalty programme.
            outcomes: What happened.
            timeout: Seconds that the store may take.

        Returns:
            How many were new.

        Raises:
            ProgrammeNotFoundError: Unknown programme.
            InvalidRequestError: One names a channel that the catalogue does not have; nothing is kept.
            StoreUnavailableError, StoreTimeoutError: They could not be logged.
        """
        problems = channel_problems(
            self._programmes.current(programme).catalogue,
            ((f"outcomes[{index}].channel_id", one.channel_id) for index, one in enumerate(outcomes)),
        )
        if problems:
            raise InvalidRequestError(problems)
        result = self._log.append_outcomes(outcomes, timeout)
        self._on_events(programme, "outcome", result)
        return result
