"""What can go wrong with a request, in the words of the caller; free of any transport.

Every subclass of ``RequestError`` has a row in ``server/status.py`` and a value in ``errors.proto``.
"""

from experiments.errors import DomainError, Problem

_MOST_LISTED = 8
"""Problems, or known names, that one sentence lists; all answers must fit the headers of HTTP/2."""


class RequestError(DomainError):
    """Base of the errors that answer a request."""


class InvalidRequestError(RequestError):
    """Fields of the request break rules; all problems are named at once."""

    reason = "INVALID_REQUEST"

    def __init__(self, problems: list[Problem]) -> None:
        listing = "; ".join(str(problem) for problem in problems[:_MOST_LISTED])
        if len(problems) > _MOST_LISTED:
            listing += f"; and {len(problems) - _MOST_LISTED} more problems"
        super().__init__(f"The request is invalid: {listing}.", problem_count=str(len(problems)))
        self.problems = tuple(problems)


class ProgrammeNotFoundError(RequestError):
    """The server serves no such programme."""

    reason = "PROGRAMME_NOT_FOUND"

    def __init__(self, programme: str) -> None:
        super().__init__(
            f"This server serves no programme {programme!r}; its configuration names those it does.",
            programme=programme,
        )


class PlacementNotFoundError(RequestError):
    """The catalogue has no such placement."""

    reason = "PLACEMENT_NOT_FOUND"

    def __init__(self, programme: str, placement_id: str, known: tuple[str, ...]) -> None:
        super().__init__(
            f"Programme {programme!r} has no placement {placement_id!r}; it has {_listed(known)}.",
            programme=programme,
            placement_id=placement_id,
        )


class ExperimentNotFoundError(RequestError):
    """The plan has no such experiment."""

    reason = "EXPERIMENT_NOT_FOUND"

    def __init__(self, programme: str, experiment_id: str) -> None:
        super().__init__(
            f"Programme {programme!r} has no experiment {experiment_id!r}.",
            programme=programme,
            experiment_id=experiment_id,
        )


class RequestIdReusedError(RequestError):
    """The key of a retry was used before for another question."""

    reason = "REQUEST_ID_REUSED"

    def __init__(self, request_id: str) -> None:
        super().__init__(
            f"request_id {request_id!r} was used before for another member, placement or count; "
            "make a new one for each question.",
            request_id=request_id,
        )


class StoreUnavailableError(RequestError):
    """The log could not be written; nothing was decided or accepted."""

    reason = "STORE_UNAVAILABLE"

    def __init__(self, cause: str) -> None:
        super().__init__(
            f"The event log cannot be written ({cause}); nothing was accepted. Send the same request again.",
            cause=cause,
        )


class StoreTimeoutError(RequestError):
    """The log did not confirm before the deadline; the write may still happen."""

    reason = "DEADLINE_EXCEEDED"

    def __init__(self) -> None:
        super().__init__(
            "The event log did not confirm before the deadline; send the same request_id or event_id again."
        )


def _listed(names: tuple[str, ...]) -> str:
    more = len(names) - _MOST_LISTED
    return ", ".join(names[:_MOST_LISTED]) + (f" and {more} more" if more > 0 else "")
