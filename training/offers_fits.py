"""The fits of a training job: try settings, choose, refit."""

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.bundle import OfferModel
from training.data.dataset import OfferDataset
from training.evaluation import Evaluation, WeekSplit
from training.fit_pool import Attempt, JobData, attempt, fit_pool, refit
from training.recommenders import Recommender


@dataclass(frozen=True, eq=False)
class FittedRecommender:
    """A recommender whose settings are chosen, fitted again on all visible weeks.

    Attributes:
        attempts: Every setting that was tried.
        chosen: The best of them.
        model: The refitted model.
        refit_seconds: Wall time of the refit.
    """

    attempts: tuple[Attempt, ...]
    chosen: Attempt
    model: OfferModel
    refit_seconds: float

    @property
    def recommender(self) -> Recommender:
        """The chosen setting."""
        return self.chosen.recommender

    @property
    def evaluation(self) -> Evaluation:
        """How the chosen setting did on the validation window."""
        return self.chosen.evaluation

    @property
    def validation_fit_seconds(self) -> float:
        """Wall time of all fits on the training weeks."""
        return sum(attempt.fit_seconds for attempt in self.attempts)

    def settings_json(self) -> list[dict[str, Any]]:
        """Return every setting that was tried with its metrics, as plain values."""
        return [
            {
                "parameters": attempt.recommender.parameters,
                "metrics": {
                    name: {"value": estimate.value, "standard_error": estimate.standard_error}
                    for name, estimate in attempt.evaluation.metrics.items()
                },
                "fit_seconds": round(attempt.fit_seconds, 3),
                "chosen": attempt is self.chosen,
            }
            for attempt in self.attempts
        ]


def prepare(dataset: OfferDataset, split: WeekSplit) -> JobData:
    """Code the visible weeks of a data set."""
    train = split.interactions(dataset, split.train_until)
    window = split.window(dataset)
    rows = dict(zip(train.member_ids, np.bincount(train.member).tolist(), strict=True))
    return JobData(
        train=train,
        refit=split.interactions(dataset, split.refit_until),
        window=window,
        activity=np.array([rows.get(member_id, 0) for member_id in window.member_ids], dtype=np.float64),
    )


def run_fits(
    recommenders: Sequence[type[Recommender]], data: JobData, *, seed: int, done: Callable[[str], None]
) -> dict[str, FittedRecommender]:
    """Try all settings, choose by hits per trip on validation, and refit the chosen ones.

    The fits run in two processes of their own. Threads would not do: LightFM asks for the interpreter lock after
    every sample, and beside another busy thread its fit takes four times as long.

    Args:
        recommenders: What to fit.
        data: What to fit and evaluate on.
        seed: Seed of every fit.
        done: Called in this process with a line of text after each fit.

    Returns:
        The fitted recommenders by name.
    """
    tries: dict[Future[Attempt], type[Recommender]] = {}
    refits: dict[Future[tuple[OfferModel, float]], str] = {}
    attempts: dict[str, list[Attempt]] = {kind.name: [] for kind in recommenders}
    models: dict[str, tuple[OfferModel, float]] = {}
    with fit_pool(data) as pool:
        for kind, is_refit in _in_order(recommenders):
            if is_refit:
                refits[pool.submit(refit, kind.grid()[0], seed)] = kind.name
            else:
                tries.update({pool.submit(attempt, setting, seed): kind for setting in kind.grid()})
        while tries or refits:
            pending: list[Future[Any]] = [*tries, *refits]
            finished = wait(pending, return_when=FIRST_COMPLETED).done
            for tried in [future for future in tries if future in finished]:
                kind = tries.pop(tried)
                attempts[kind.name].append(tried.result())
                if len(attempts[kind.name]) == len(kind.grid()) > 1:
                    chosen = _choose(attempts[kind.name], kind).recommender
                    refits[pool.submit(refit, chosen, seed)] = kind.name
                done(f"Tried {kind.name}")
            for refitted in [future for future in refits if future in finished]:
                name = refits.pop(refitted)
                models[name] = refitted.result()
                done(f"Refitted {name}")
    fitted = {}
    for kind in recommenders:
        ordered = sorted(attempts[kind.name], key=lambda tried: kind.grid().index(tried.recommender))
        model, seconds = models[kind.name]
        fitted[kind.name] = FittedRecommender(
            attempts=tuple(ordered), chosen=_choose(ordered, kind), model=model, refit_seconds=seconds
        )
    return fitted


def _in_order(recommenders: Sequence[type[Recommender]]) -> list[tuple[type[Recommender], bool]]:
    """Return which recommender to try (False) or refit (True) in which order.

    One slow fit fills a core from the start while the quick ones run beside it, and the other slow ones come last, so
    that both cores are busy to the end and something is seen to happen soon. Where there is only one setting there is
    nothing to choose, so its refit need not wait for the evaluation; the others are refitted once they are chosen.
    """
    slow = [kind for kind in reversed(recommenders) if kind.slow]
    quick = [kind for kind in recommenders if not kind.slow]
    order = [(kind, False) for kind in slow[:1] + quick]
    order += [(kind, True) for kind in quick + slow[:1]]
    order += [(kind, is_refit) for kind in slow[1:] for is_refit in (False, True)]
    return [(kind, is_refit) for kind, is_refit in order if not is_refit or len(kind.grid()) == 1]


def _choose(attempts: Sequence[Attempt], kind: type[Recommender]) -> Attempt:
    """Return the best attempt; of equals, the first of the grid."""
    return max(
        attempts,
        key=lambda attempt: (
            attempt.evaluation.metrics["hits_per_trip"].value,
            -list(kind.grid()).index(attempt.recommender),
        ),
    )
