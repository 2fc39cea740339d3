"""Explaining decisions, and making them again from the log."""

import os
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from experiments.catalogue_changes import CatalogueChange
from experiments.events import Decision
from experiments.plan import compile_plan
from server.budgets import NOTHING_CLOSED, Closed
from server.catalogue import Catalogue
from server.decide.evidence import NO_EVIDENCE, Evidence
from server.decide.explain import Explained, explain
from server.decide.question import Question
from server.decide.replaying import Difference, differences, question_of, replay
from server.errors import DecisionNotFoundError, ReplayImpossibleError
from server.members import MemberState
from server.models import find_bundle
from server.programme import Snapshot
from training.bundle import Bundle, Task

_MOST_KEPT = 8


class ReplayStore(Protocol):
    """What a decision was made from, in the log. Every method raises ``StoreUnavailableError`` if it cannot be read."""

    def decision(self, programme: str, decision_id: str) -> Decision | None:
        """Return a decision, if there is one of that id."""
        ...

    def member_state(self, programme: str, member_id: str, upto_version: int | None = None) -> MemberState:
        """Return a member's state as it was at a version."""
        ...

    def state_document(self, programme: str, state_id: str) -> str | None:
        """Return what decisions read under this id, if any did."""
        ...

    def catalogue_at(self, programme: str, revision: str) -> CatalogueChange | None:
        """Return the last change that led to a revision; none if none did."""
        ...


@dataclass(frozen=True, slots=True)
class Replayed:
    """A decision made again.

    Attributes:
        decision: As logged.
        catalogue: The catalogue of its revision.
        differences: In what it came out otherwise; empty if every bit is the same.
        candidates: What became of each candidate.
    """

    decision: Decision
    catalogue: Catalogue
    differences: tuple[Difference, ...]
    candidates: list[Explained]


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
        self._kept: OrderedDict[tuple[str, str, str, str], Snapshot] = OrderedDict()

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
        if decision.member_version is None:
            raise ReplayImpossibleError(
                decision_id, "it was logged by a version of Troth that did not keep what it read"
            )
        snapshot = self._snapshot(decision)
        question = self._question(decision, decision.member_version - 1, snapshot)
        choice, considered = replay(snapshot, question)
        return Replayed(
            decision,
            snapshot.catalogue,
            differences(decision, choice),
            explain(snapshot, question, considered),
        )

    def _question(self, decision: Decision, version: int, snapshot: Snapshot) -> Question:
        programme = decision.programme
        placement = snapshot.catalogue.placements_by_id[decision.placement_id]
        state = self._store.member_state(programme, decision.member_id, version)
        closed, evidence = NOTHING_CLOSED, NO_EVIDENCE
        if decision.budget_state:
            closed = Closed.from_document(self._document(decision, decision.budget_state))
        if decision.evidence_state:
            evidence = Evidence.from_document(self._document(decision, decision.evidence_state))
        return question_of(decision, placement, state, closed, evidence)

    def _document(self, decision: Decision, state_id: str) -> str:
        document = self._store.state_document(decision.programme, state_id)
        if document is None:
            raise ReplayImpossibleError(decision.decision_id, f"the log has no state {state_id}")
        return document

    def _snapshot(self, decision: Decision) -> Snapshot:
        key = (
            decision.programme,
            decision.catalogue_revision,
            decision.placement_id,
            decision.model_version,
        )
        kept = self._kept.get(key)
        if kept is None:
            kept = self._kept[key] = self._made(decision)
            if len(self._kept) > _MOST_KEPT:
                self._kept.popitem(last=False)
        return kept

    def _made(self, decision: Decision) -> Snapshot:
        programme, revision = decision.programme, decision.catalogue_revision
        change = self._store.catalogue_at(programme, revision)
        if change is None:
            raise ReplayImpossibleError(
                decision.decision_id, f"the log has no catalogue of revision {revision}"
            )
        catalogue = Catalogue.from_json(change.document)
        task = catalogue.placements_by_id[decision.placement_id].task
        bundles: dict[Task, Bundle] = {}
        if decision.model_version:
            folder = self._models.get(programme)
            bundle = None if folder is None else find_bundle(folder, programme, task, decision.model_version)
            if bundle is None:
                raise ReplayImpossibleError(
                    decision.decision_id,
                    f"model {decision.model_version} is not in {os.fspath(folder) if folder else 'any models folder'}",
                )
            bundles[task] = bundle
        return Snapshot(catalogue, compile_plan([], programme), bundles)
