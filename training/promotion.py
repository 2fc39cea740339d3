"""The gate between the registry and the server: what it takes to become champion, and the way back."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from training.bundle.manifest import ACTIONS
from training.errors import RegistryError
from training.evaluation.evaluation import COUNTING, shown_difference
from training.promotion_checks import (
    CheckError,
    PromotionJudgement,
    Rival,
    check_actions,
    check_latency,
    check_parity,
    check_smoke,
    counting_rival,
    inherited,
    judge,
    judge_action_model,
    measure_latency,
    refusal,
)
from training.tracking import ModelRegistry, RegisteredVersion
from training.tracking.registry import CHALLENGER_ALIAS, CHAMPION_ALIAS, PREVIOUS_ALIAS, STATUS_TAG
from training.tracking.runs import metric_key

DEFAULT_LATENCY_LIMIT_MS = 20.0
"""Most that scoring one member on all offers may take, as the median over members, in ms."""

APPROVED, REJECTED = "approved", "rejected"
PREVIOUS_TAG = "troth.previous_champion"
_GATE = "gate."


@dataclass(frozen=True)
class PromotionResult:
    """What the gate said.

    Attributes:
        programme: Loyalty programme.
        task: What the model is for.
        version: Version that was judged.
        model: Name of its recommender.
        promoted: Whether it is champion now.
        changed: Whether it was not before.
        reason: Why, in one sentence with numbers.
        previous: Version that was champion before, or ``None``.
    """

    programme: str
    task: str
    version: str
    model: str
    promoted: bool
    changed: bool
    reason: str
    previous: str | None


@dataclass(frozen=True)
class RollbackResult:
    """Which version serves after a rollback.

    Attributes:
        programme: Loyalty programme.
        task: What the model is for.
        version: Version that is champion now.
        model: Name of its recommender.
        replaced: Version that was champion before; the next rollback brings it back.
        reason: The same in one sentence.
    """

    programme: str
    task: str
    version: str
    model: str
    replaced: str
    reason: str


def promote(
    store: Path,
    programme: str,
    task: str,
    version: str | None = None,
    *,
    alias: str = CHALLENGER_ALIAS,
    latency_limit_ms: float = DEFAULT_LATENCY_LIMIT_MS,
) -> PromotionResult:
    """Make a version champion if it works, is fast, beats counting and does not lose to the champion.

    The steps, in this order, until one refuses: the bundle opens and scores (smoke); its scores are those of the training
    job, bit for bit (parity); scoring is fast enough (latency); the numbers are good enough (``judge``). A version that adds
    purchases to the champion inherits its numbers. For actions see ``judge_action_model``. What each step found is kept in tags ``gate.…`` of the version, and
    ``validation_status`` is ``approved`` or ``rejected``.

    Args:
        store: Folder of the MLflow store.
        programme: Loyalty programme.
        task: What the model is for.
        version: Version to judge; the one behind ``alias`` by default.
        alias: Alias to follow when no version is named.
        latency_limit_ms: Most that scoring one member on all offers may take, as the median over members, in ms.

    Returns:
        Whether it is champion now, and why.

    Raises:
        RegistryError: There is no such version or alias, or the store cannot be read.
    """
    registry = ModelRegistry(store, programme, task)
    candidate = registry.version_of(alias) if version is None else registry.version(version)
    champion = _champion(registry)
    if champion is not None and champion.version == candidate.version:
        reason = f"{named(candidate)} is champion already."
        return PromotionResult(
            programme, task, candidate.version, candidate.model, True, False, reason, champion.version
        )
    registry.untag(candidate, _GATE)
    judgement = (
        judge_action_model(registry, candidate)
        if task == ACTIONS
        else _Gate(registry, candidate, champion).run(latency_limit_ms)
    )
    reason = judgement.reason
    if judgement.approved:
        reason = f"{named(candidate)} is champion: {judgement.reason}."
        _crown(registry, candidate, champion)
    status = APPROVED if judgement.approved else REJECTED
    registry.tag(candidate.version, {STATUS_TAG: status, f"{_GATE}reason": reason})
    registry.note_on_job(candidate, {"troth.promotion": reason})
    return PromotionResult(
        programme=programme,
        task=task,
        version=candidate.version,
        model=candidate.model,
        promoted=judgement.approved,
        changed=judgement.approved,
        reason=reason,
        previous=None if champion is None else champion.version,
    )


def rollback(store: Path, programme: str, task: str) -> RollbackResult:
    """Make the previous champion champion again; doing it twice changes nothing.

    The gate is not asked, because it let this version pass before; only the bundle is checked.

    Args:
        store: Folder of the MLflow store.
        programme: The loyalty programme.
        task: The task.

    Returns:
        Which version serves now.

    Raises:
        RegistryError: There is no previous champion, or its bundle does not open any more.
    """
    registry = ModelRegistry(store, programme, task)
    champion, aliases = _champion(registry), registry.aliases()
    back = aliases.get(PREVIOUS_ALIAS)
    if champion is None or back is None or back == champion.version:
        raise RegistryError(
            f"There is nothing to roll back to: {registry.name} had no champion before.", model=registry.name
        )
    target = registry.version(back)
    with tempfile.TemporaryDirectory(prefix="troth-") as temporary:
        try:
            bundle = registry.bundle(target, Path(temporary))
            if task == ACTIONS:
                check_actions(bundle)
            else:
                check_smoke(bundle, task)
        except CheckError as error:
            raise RegistryError(
                f"{named(target)} cannot serve again: {error}.", model=registry.name, version=back
            ) from error
    _crown(registry, target, champion)
    reason = f"{named(target)} is champion again; {named(champion)} served before."
    return RollbackResult(programme, task, target.version, target.model, champion.version, reason)


def named(version: RegisteredVersion) -> str:
    """Return how people call a version."""
    return f"{version.model}, version {version.version}"


class _Gate:
    """The steps of one promotion; what each found becomes a tag as soon as it is known."""

    def __init__(
        self, registry: ModelRegistry, candidate: RegisteredVersion, champion: RegisteredVersion | None
    ) -> None:
        self._registry = registry
        self._candidate = candidate
        self._champion = champion

    def run(self, latency_limit_ms: float) -> PromotionJudgement:
        """Take the steps until one refuses."""
        step = "smoke"
        try:
            with tempfile.TemporaryDirectory(prefix="troth-") as temporary:
                bundle = check_smoke(self._bundle(Path(temporary)), self._candidate.task)
                self._found(smoke="passed")
                step = "parity"
                self._found(parity=check_parity(bundle.model, self._registry.parity(self._candidate)))
                step = "latency"
                latency = measure_latency(bundle.model)
                self._found(
                    latency_ms_p50=f"{latency.p50:.3f}",
                    latency_ms_p99=f"{latency.p99:.3f}",
                    latency_short_ms_p50=f"{latency.short_p50:.3f}",
                    latency_short_ms_p99=f"{latency.short_p99:.3f}",
                )
                check_latency(latency, latency_limit_ms)
            step = "evaluation"
            return self._evaluate()
        except CheckError as error:
            why = str(error)
            self._found(**{step: f"failed: {why}"})
            return PromotionJudgement(False, refusal(self._candidate.model, why[:1].lower() + why[1:]))

    def _bundle(self, folder: Path) -> Path:
        try:
            return self._registry.bundle(self._candidate, folder)
        except RegistryError as error:
            raise CheckError(error.message.rstrip(".")) from error

    def _evaluate(self) -> PromotionJudgement:
        candidate, champion, metric = self._candidate, self._champion, self._candidate.metric
        if champion is not None and candidate.refreshed_from == champion.version:
            self._found(evaluation=f"that of version {candidate.evidence_from}")
            value = candidate.metrics.get(metric_key(metric))
            return inherited(metric, value, origin=champion.version, evidence=candidate.evidence_from)
        cases = self._registry.cases(candidate)
        if cases is None or metric not in cases.metrics:
            raise CheckError("How it did case by case was not kept: train again")
        against_counting = None
        if candidate.model != COUNTING:
            counting = self._registry.counting_cases(candidate)
            if counting is None or not cases.same_as(counting):
                raise CheckError(f"Its job did not measure {COUNTING}: train again with it")
            against_counting = counting_rival(cases.difference(counting, metric))
            self._found(vs_counting=shown_difference(against_counting.difference))
        against_champion = None
        if champion is not None:
            theirs = self._registry.champion_cases(candidate, champion)
            if theirs is None or metric not in theirs.metrics or not cases.same_as(theirs):
                raise CheckError(
                    f"The champion, version {champion.version}, was judged on other cases: train again, the job "
                    "measures it too"
                )
            against_champion = Rival(named(champion), cases.difference(theirs, metric))
            self._found(vs_champion=shown_difference(against_champion.difference))
        value = cases.estimate(metric).value
        return judge(candidate.model, metric, value, counting=against_counting, champion=against_champion)

    def _found(self, **found: str) -> None:
        self._registry.tag(
            self._candidate.version, {f"{_GATE}{name}": value for name, value in found.items()}
        )


def _champion(registry: ModelRegistry) -> RegisteredVersion | None:
    version = registry.aliases().get(CHAMPION_ALIAS)
    return None if version is None else registry.version(version)


def _crown(registry: ModelRegistry, version: RegisteredVersion, before: RegisteredVersion | None) -> None:
    """Move the aliases; the way back is laid before the champion changes."""
    if before is not None:
        registry.set_alias(PREVIOUS_ALIAS, before.version)
        registry.tag(version.version, {PREVIOUS_TAG: before.version})
    registry.set_alias(CHAMPION_ALIAS, version.version)
