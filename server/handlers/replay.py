"""Explaining decisions, and making them again from the log."""

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from pydantic import ValidationError

from experiments.assignment.plan import compile_plan
from experiments.log.events import Decision
from server.budgets import NOTHING_CLOSED, Closed
from server.catalogue import Catalogue, Placement
from server.catalogue.diff import CatalogueChange
from server.decide.choice import Considered
from server.decide.context import NO_EVIDENCE, DecisionContext, Evidence
from server.decide.decide import decide
from server.decide.explain import Explained, explain
from server.decide.replay import Difference, context_of, differences
from server.decide.snapshot import Snapshot
from server.errors import DecisionNotFoundError, ReplayImpossibleError
from server.members import MemberState
from server.programme.models import ACTIONS, find_actions, find_bundle

_SNAPSHOTS_KEPT = 8
_STATES_KEPT = 64

_Key = TypeVar("_Key")
_Kept = TypeVar("_Kept")


class ReplayStore(Protocol):
    """What a decision was made from, in the log. Every method raises ``StoreUnavailableError`` if it cannot be read."""

    def decision(self, programme: str, decision_id: str) -> Decision | None:
        """Return a decision, if there is one of that id."""
        ...

    def member_state(self, programme: str, member_id: str, upto_version: int | None = None) -> MemberState:
        """Return a member's state as it was at a version.

        Args:
            programme: The loyalty programme.
            member_id: The member.
            upto_version: The version; the latest if ``None``.
        """
        ...

    def state_document(self, programme: str, state_id: str) -> str | None:
        """Return what decisions read under this id, if any did."""
        ...

    def catalogue_at(self, programme: str, revision: str) -> CatalogueChange | None:
        """Return the last change that led to a revision; ``None`` if none did."""
        ...


@dataclass(frozen=True)
class Replayed:
    """A decision made again.

    Attributes:
        decision: As logged.
        snapshot: What it was made with.
        context: What was asked and known.
        considered: How it came about.
        differences: In what it came out otherwise; empty if every bit is the same.
    """

    decision: Decision
    snapshot: Snapshot
    context: DecisionContext
    considered: Considered
    differences: tuple[Difference, ...]

    @property
    def catalogue(self) -> Catalogue:
        """The catalogue of its revision."""
        return self.snapshot.catalogue

    @cached_property
    def candidates(self) -> list[Explained]:
        """What became of each candidate."""
        return explain(self.snapshot, self.context, self.considered)


class ReplayHandler:
    """Answers ``ExplainDecision`` and ``ReplayDecision``.

    Args:
        store: What decisions were made from.
        models: The models folder of each programme that has one.
        check_programme: Raises ``ProgrammeNotFoundError`` for an unknown one.
    """

    def __init__(
        self, store: ReplayStore, models: Mapping[str, Path], check_programme: Callable[[str], object]
    ) -> None:
        self._store = store
        self._models = models
        self._check_programme = check_programme
        self._catalogues: _Latest[tuple[str, str], Catalogue] = _Latest(_SNAPSHOTS_KEPT)
        self._snapshots: _Latest[tuple[str, str, str, str], Snapshot] = _Latest(_SNAPSHOTS_KEPT)
        self._closed: _Latest[tuple[str, str], Closed] = _Latest(_STATES_KEPT)
        self._evidence: _Latest[tuple[str, str], Evidence] = _Latest(_STATES_KEPT)

    def replay(self, programme: str, decision_id: str) -> Replayed:
        """Make a decision again.

        Raises:
            ProgrammeNotFoundError: Unknown programme.
            DecisionNotFoundError: The log has no such decision.
            ReplayImpossibleError: Something that it was made from is not there any more.
            StoreUnavailableError: The log cannot be read.
        """
        self._check_programme(programme)
        decision = self._store.decision(programme, decision_id)
        if decision is None:
            raise DecisionNotFoundError(programme, decision_id)
        return self.again(decision)

    def again(self, decision: Decision) -> Replayed:
        """Make a decision of the log again. Errors as in ``replay``."""
        if decision.member_version is None:
            raise ReplayImpossibleError(
                decision.decision_id, "it was logged by a version of Troth that did not keep what it read"
            )
        snapshot, placement = self._made_with(decision)
        context = self._context(decision, decision.member_version - 1, placement)
        choice, considered = decide(snapshot, context)
        return Replayed(decision, snapshot, context, considered, differences(decision, choice))

    def _context(self, decision: Decision, version: int, placement: Placement) -> DecisionContext:
        programme = decision.programme
        state = self._store.member_state(programme, decision.member_id, version)
        closed, evidence = NOTHING_CLOSED, NO_EVIDENCE
        if decision.budget_state:
            closed = self._closed.get(
                (programme, decision.budget_state),
                lambda: Closed.from_document(self._document(decision, decision.budget_state)),
            )
        if decision.evidence_state:
            evidence = self._evidence.get(
                (programme, decision.evidence_state),
                lambda: Evidence.from_document(self._document(decision, decision.evidence_state)),
            )
        return context_of(decision, placement, state, closed, evidence)

    def _document(self, decision: Decision, state_id: str) -> str:
        document = self._store.state_document(decision.programme, state_id)
        if document is None:
            raise ReplayImpossibleError(decision.decision_id, f"the log has no state {state_id}")
        return document

    def _made_with(self, decision: Decision) -> tuple[Snapshot, Placement]:
        programme, revision = decision.programme, decision.catalogue_revision
        catalogue = self._catalogues.get((programme, revision), lambda: self._catalogue(decision))
        placement = catalogue.placements_by_id.get(decision.placement_id)
        if placement is None:
            raise ReplayImpossibleError(
                decision.decision_id,
                f"the catalogue of revision {revision} has no placement {decision.placement_id!r}",
            )
        key = (programme, revision, _model_kind(placement), decision.model_version)
        return self._snapshots.get(key, lambda: self._snapshot(decision, catalogue, placement)), placement

    def _catalogue(self, decision: Decision) -> Catalogue:
        revision = decision.catalogue_revision
        change = self._store.catalogue_at(decision.programme, revision)
        if change is None:
            raise ReplayImpossibleError(
                decision.decision_id, f"the log has no catalogue of revision {revision}"
            )
        try:
            return Catalogue.from_json(change.document)
        except ValidationError:
            raise ReplayImpossibleError(
                decision.decision_id, f"the catalogue of revision {revision} breaks the rules of this version"
            ) from None

    def _snapshot(self, decision: Decision, catalogue: Catalogue, placement: Placement) -> Snapshot:
        programme, version = decision.programme, decision.model_version
        plan, folder = compile_plan([], programme), self._models.get(programme)
        if not version:
            return Snapshot(catalogue, plan)
        if folder is not None and placement.decides == ACTIONS:
            actions = find_actions(folder, programme, version)
            if actions is not None:
                return Snapshot(catalogue, plan, actions=actions)
        elif folder is not None:
            bundle = find_bundle(folder, programme, placement.task, version)
            if bundle is not None:
                return Snapshot(catalogue, plan, {placement.task: bundle})
        where = os.fspath(folder) if folder else "any models folder"
        raise ReplayImpossibleError(decision.decision_id, f"model {version} is not in {where}")


def _model_kind(placement: Placement) -> str:
    return ACTIONS if placement.decides == ACTIONS else placement.task.value


class _Latest(Generic[_Key, _Kept]):
    """What was worked out last, since neighbours in the log mostly need the same. Safe to share between threads.

    Args:
        most: So much is kept.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._kept: OrderedDict[_Key, _Kept] = OrderedDict()

    def get(self, key: _Key, make: Callable[[], _Kept]) -> _Kept:
        """Return what is kept under a key; make it if nothing is."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        made = make()
        with self._lock:
            self._kept[key] = made
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return made
