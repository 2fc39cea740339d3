"""What can go wrong with a request, in the words of the caller; free of any transport.

Every subclass of ``RequestError`` has a row in ``server/status.py`` and a value in ``errors.proto``.
"""

from collections.abc import Sequence
from urllib.parse import quote

from experiments.errors import DomainError, Problem

_MAX_LISTED = 8
"""Problems, or known names, that one sentence lists; all answers must fit the headers of HTTP/2."""

_LONGEST_LISTING = 1_500
"""Bytes of the problems that one sentence lists."""


class RequestError(DomainError):
    """Base of the errors that answer a request."""


class InvalidRequestError(RequestError):
    """Fields of the request break rules; all problems are named at once."""

    reason = "INVALID_REQUEST"

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(
            f"The request is invalid: {_listed_problems(problems)}.", problem_count=str(len(problems))
        )
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


class MemberNotFoundError(RequestError):
    """Nothing was ever said of the member, and the log has nothing of them."""

    reason = "MEMBER_NOT_FOUND"

    def __init__(self, programme: str, member_id: str) -> None:
        super().__init__(
            f"Programme {programme!r} knows nothing of a member {member_id!r}; UpsertMembers tells it of one.",
            programme=programme,
            member_id=member_id,
        )


class RequestIdReusedError(RequestError):
    """The key of a retry was used before for another question."""

    reason = "REQUEST_ID_REUSED"

    def __init__(self, request_id: str) -> None:
        super().__init__(
            f"request_id {request_id!r} was used before for another request; make a new one for each.",
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
    """The log or an analysis did not answer before the deadline; a write may still happen."""

    reason = "DEADLINE_EXCEEDED"

    def __init__(
        self,
        sentence: str = "The event log did not confirm before the deadline; send the same request_id or event_id again.",
    ) -> None:
        super().__init__(sentence)


class ExperimentExistsError(RequestError):
    """There is an experiment of that id already."""

    reason = "EXPERIMENT_EXISTS"

    def __init__(self, programme: str, experiment_id: str) -> None:
        super().__init__(
            f"Programme {programme!r} has an experiment {experiment_id!r} already; choose another id or update it.",
            programme=programme,
            experiment_id=experiment_id,
        )


class ExperimentReadOnlyError(RequestError):
    """A file of the server's configuration defines the experiment, or the catalogue does, as its standing arms."""

    reason = "EXPERIMENT_READ_ONLY"

    def __init__(self, experiment_id: str, *, standing: bool = False) -> None:
        remedy = (
            "is made of the catalogue's standing_arms; change those"
            if standing
            else "is defined in a file of the server's configuration; change it there and restart the server"
        )
        super().__init__(f"Experiment {experiment_id!r} {remedy}.", experiment_id=experiment_id)


class PreconditionError(RequestError):
    """Base of refusals that the state of things explains; all problems are named at once."""

    def __init__(self, sentence: str, problems: Sequence[Problem], experiment_id: str) -> None:
        super().__init__(
            f"{sentence}: {_listed_problems(problems)}.",
            experiment_id=experiment_id,
            problem_count=str(len(problems)),
        )
        self.problems = tuple(problems)


class ExperimentStateError(PreconditionError):
    """The experiment's state does not allow the change."""

    reason = "EXPERIMENT_STATE"


class ExperimentConflictError(PreconditionError):
    """The experiment does not fit together with others or with the catalogue."""

    reason = "EXPERIMENT_CONFLICT"


class CatalogueConflictError(PreconditionError):
    """The catalogue would take from experiments what they need."""

    reason = "CATALOGUE_CONFLICT"


class EtagMismatchError(RequestError):
    """Somebody changed the experiment or the catalogue since it was read."""

    reason = "ETAG_MISMATCH"

    def __init__(self, what: str, etag: str, **names: str) -> None:
        super().__init__(
            f"{what} was changed meanwhile; its etag is {etag!r}. Read it again and decide anew.",
            etag=etag,
            **names,
        )


class CatalogueItemNotFoundError(RequestError):
    """The catalogue has no such offer, action or segment."""

    reason = "CATALOGUE_ITEM_NOT_FOUND"

    def __init__(self, programme: str, kind: str, item_id: str) -> None:
        super().__init__(
            f"The catalogue of programme {programme!r} has no {kind} {item_id!r}.",
            programme=programme,
            kind=kind,
            item_id=item_id,
        )


class CatalogueRevisionNotFoundError(RequestError):
    """The programme's catalogue never had this revision."""

    reason = "CATALOGUE_REVISION_NOT_FOUND"

    def __init__(self, programme: str, revision: str) -> None:
        super().__init__(
            f"The catalogue of programme {programme!r} never had the revision {revision!r}; ListCatalogueChanges names them.",
            programme=programme,
            revision=revision,
        )


class IdentityLinkedError(RequestError):
    """An anonymous id belongs to another member, or would make a chain of links. The message names no member."""

    reason = "IDENTITY_LINKED"

    def __init__(self, anonymous_ids: tuple[str, ...]) -> None:
        super().__init__(
            f"These anonymous ids belong to another member already, or one of the two ids is on the other side of another"
            f" link: {_listed(anonymous_ids)}; nothing was linked.",
            anonymous_id=anonymous_ids[0],
        )


class AnalysisImpossibleError(RequestError):
    """The log cannot be analysed as it is."""

    reason = "ANALYSIS_IMPOSSIBLE"

    def __init__(self, experiment_id: str, cause: str) -> None:
        super().__init__(
            f"Experiment {experiment_id!r} cannot be analysed: {_cut(cause, _LONGEST_LISTING)}",
            experiment_id=experiment_id,
            cause=cause,
        )


class ServerBusyError(RequestError):
    """As many calls of a costly kind are under way as the server takes at once."""

    reason = "SERVER_BUSY"

    def __init__(self, what: str, retry_s: int) -> None:
        super().__init__(
            f"The server is busy with as many {what} as it takes at once; try again in {retry_s} s.",
            what=what,
            retry_s=str(retry_s),
        )
        self.retry_s = retry_s


class DecisionNotFoundError(RequestError):
    """The log has no such decision."""

    reason = "DECISION_NOT_FOUND"

    def __init__(self, programme: str, decision_id: str) -> None:
        super().__init__(
            f"Programme {programme!r} has no decision {decision_id!r} in its log.",
            programme=programme,
            decision_id=decision_id,
        )


class ReplayImpossibleError(RequestError):
    """What a decision was made from is not there any more."""

    reason = "REPLAY_IMPOSSIBLE"

    def __init__(self, decision_id: str, cause: str) -> None:
        super().__init__(
            f"Decision {decision_id!r} cannot be made again: {cause}.", decision_id=decision_id, cause=cause
        )


def _listed_problems(problems: Sequence[Problem]) -> str:
    listing = "; ".join(str(problem) for problem in problems[:_MAX_LISTED])
    if len(problems) > _MAX_LISTED:
        listing += f"; and {len(problems) - _MAX_LISTED} more problems"
    return _cut(listing, _LONGEST_LISTING)


def _cut(text: str, longest: int) -> str:
    """Return the text with at most so many bytes as headers carry them, in which other scripts take three times as many."""
    if len(quote(text, safe=" ")) <= longest:
        return text
    room = longest - 3
    for end, character in enumerate(text):
        room -= len(quote(character, safe=" "))
        if room < 0:
            return text[:end] + "…"
    return text


def _listed(names: tuple[str, ...]) -> str:
    more = len(names) - _MAX_LISTED
    return ", ".join(names[:_MAX_LISTED]) + (f" and {more} more" if more > 0 else "")
