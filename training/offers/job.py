"""The training job for offers: the models of one task, compared, recorded, and the best of them offered for service.

Settings are chosen on validation folds, the chosen ones are fitted again up to the test, and the test is looked at once.
What serves is the best on validation, if it passes the promotion gate.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from experiments.stats.estimate import Estimate
from training.bundle import OfferModel
from training.bundle.history import empty_profile
from training.errors import DatasetError, TrainingError
from training.evaluation import Fold, evaluate, paired_difference
from training.evaluation.evaluation import COUNTING
from training.evaluation.ranking import best_positions
from training.offers.champion import evaluate_champion
from training.offers.job_data import JobData, JobSource
from training.offers.learning import Learning
from training.offers.options import DEFAULT_SEED, MIXTURE, MODELS, RANKER, JobOptions, job_info
from training.offers.recording import OffersRecorder
from training.offers.result import TrainOffersResult
from training.offers.second_stage_rows import first_basket
from training.threads import one_thread_of_algebra
from training.tracking import experiment_name, registered_model_name, tracking_uri
from training.tracking.runs import JobInfo

_REPORTED = 1_000


def recommend_all(
    model: OfferModel, k: int, *, progress: Callable[[str, int, int], None] | None = None
) -> pl.DataFrame:
    """Rank the offers that a model's task is about for every member.

    Args:
        model: The model; every member it knows gets a list.
        k: Length of the lists.
        progress: Called with a line of text, members done and all members.

    Returns:
        ``member``, ``offer``, ``rank`` (from 1) and ``score``: at most ``k`` rows per member, best first.
    """
    count, most = len(model.member_ids), min(k, len(model.offer_ids))
    lengths = np.zeros(count, np.int64)
    offers, scores = np.zeros((count, most), np.int32), np.zeros((count, most), np.float32)
    for member in range(count):
        profile = model.profile(member)
        candidates = np.flatnonzero(model.applicable(profile))
        values = model.scores(profile, member, candidates)
        best = best_positions(values, model.popular_scores[candidates], k)
        lengths[member] = len(best)
        offers[member, : len(best)] = candidates[best]
        scores[member, : len(best)] = values[best]
        if progress is not None and member % _REPORTED == _REPORTED - 1:
            progress("recommending", member + 1, count)
    taken = np.arange(most) < lengths[:, None]
    member_ids, offer_ids = pl.Series(model.member_ids.texts()), pl.Series(model.offer_ids.texts())
    return pl.DataFrame(
        {
            "member": member_ids.gather(np.repeat(np.arange(count), lengths)) if count else [],
            "offer": offer_ids.gather(offers[taken]) if count else [],
            "rank": np.broadcast_to(np.arange(1, most + 1, dtype=np.int32), taken.shape)[taken],
            "score": scores[taken],
        }
    )


def write_recommendations(
    model: OfferModel, k: int, path: Path, *, progress: Callable[[str, int, int], None] | None = None
) -> None:
    """Write every member's best offers as Parquet.

    Args:
        model: The model.
        k: Offers per member.
        path: Where to.
        progress: Told about the progress.

    Raises:
        TrainingError: The file cannot be written.
    """
    table = recommend_all(model, k, progress=progress)
    try:
        table.write_parquet(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise TrainingError(f"{path} cannot be written: {error}.", path=str(path)) from error


Candidates = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float32]

MAX_CASES = 5_000
NEW_OFFER_BUYERS = 20
"""An offer bought by fewer members is new: what is known of it rests on its category and on little else."""


def measure_slices(
    model: OfferModel, fold: Fold, ks: Sequence[int], attributes: Scores, *, seed: int
) -> dict[str, dict[str, Estimate]]:
    """Measure a model as if it did not know the members, and on offers that hardly anybody has bought.

    Args:
        model: Fitted on the fold's data.
        fold: Whose members stand in for new ones: same cases, same candidates, same truths.
        ks: Lengths of lists.
        attributes: float32[members, attributes].
        seed: Of the sample when there are many cases.

    Returns:
        For ``no_history`` (nothing but attributes), ``first_basket`` (the last trip alone) and ``new_offers`` (truths and
        candidates bought by 1 to 19 members so far), the metrics; a slice without cases is absent.
    """
    rows, codes = attributes, model.attributes

    def known(member: int) -> dict[str, object]:
        return codes.decode(rows[member])

    def attributes_only(model: OfferModel, member: int, candidates: Candidates) -> Scores:
        return model.scores(empty_profile(), None, candidates, known(member))

    def last_trip(model: OfferModel, member: int, candidates: Candidates) -> Scores:
        return model.scores(first_basket(model.profile(member)), None, candidates, known(member))

    slices = {}
    for name, score in (("no_history", attributes_only), ("first_basket", last_trip)):
        found = evaluate([model], [fold], ks, most_cases=MAX_CASES, seed=seed, score=score)
        slices[name] = dict(found.metrics)
    buyers = fold.data.history.product_sums(np.ones(len(fold.data.history.indices), np.float32))
    of_offer = np.asarray(fold.data.onto_offers(buyers[:, None]))[:, 0]
    new = replace(fold, open_offers=fold.open_offers & (of_offer > 0) & (of_offer < NEW_OFFER_BUYERS))
    try:
        slices["new_offers"] = dict(evaluate([model], [new], ks, most_cases=MAX_CASES, seed=seed).metrics)
    except DatasetError:
        return slices
    return slices


__all__ = ["DEFAULT_SEED", "MODELS", "JobOptions", "Progress", "train_offers"]

Progress = Callable[[str, int, int], None]


def train_offers(
    source: JobSource, options: JobOptions, progress: Progress | None = None
) -> TrainOffersResult:
    """Compare the models of a task, record them in MLflow, and let the best serve if it passes the gate.

    A second job on the same store goes on with the trials of the first and adds new runs and versions beside the old ones.

    Args:
        source: Where the data is from.
        options: How the job runs.
        progress: Told about the progress.

    Returns:
        The models with their figures.

    Raises:
        TrainingError: A model is not known, the data cannot be used, or the store cannot be written.
    """
    names = options.check()
    job_data = JobData(
        source.purchases,
        source.split,
        tuple(sorted(set(options.ks))),
        f"ndcg@{options.ks[0]}",
        options.seed,
        source.first_trees,
    )
    with one_thread_of_algebra():
        return _Job(job_data, options, names, progress).run()


class _Job:
    def __init__(
        self, job_data: JobData, options: JobOptions, names: Sequence[str], progress: Progress | None
    ) -> None:
        self._job_data, self._options, self._progress = job_data, options, progress
        self._done, self._total = 0, 3 * len(names) + 2
        self._learning = Learning(job_data, options, names, self._say)
        self._models = self._learning.models

    def run(self) -> TrainOffersResult:
        job_data, options = self._job_data, self._options
        self._say("reading the folds")
        job_data.validation  # noqa: B018  # fails before a store is made when the data cannot be used
        job = job_info(job_data, options)
        run_ids, versions = {}, {}
        with OffersRecorder(options.store, job, f"{job.task} {datetime.now(UTC):%Y-%m-%d %H:%M}") as recorder:
            self._learning.run(recorder)
            best = self._best()
            self._measure_slices()
            for name, model in self._models.items():
                recorded = self._learning.runs[name].finish(model, self._models)
                run_ids[name], versions[name] = recorded.run_id, recorded.version
                self._say(f"recorded {name}")
            result = self._result(job, best, recorder, run_ids, versions)
            found = evaluate_champion(options.store, options.programme, job_data, job_data.judged)
            if found is not None:
                recorder.record_champion_cases(*found)
            recorder.finish(result)
        if options.promote:
            result = self._promote(result)
        if options.recommendations is not None:
            write_recommendations(
                self._models[best].model,
                max(job_data.ks),
                options.recommendations,
                progress=self._progress,
            )
        return result

    def _best(self) -> str:
        metric = self._job_data.metric
        return max(self._models, key=lambda name: self._models[name].validation.metrics[metric].value)

    def _measure_slices(self) -> None:
        if not self._job_data.tests:
            return
        for name in {COUNTING, "popularity", MIXTURE, RANKER} & set(self._models):
            model = self._models[name]
            slices = measure_slices(
                model.model,
                self._job_data.tests[-1],
                self._job_data.ks,
                self._job_data.purchases.members.table,
                seed=self._job_data.seed,
            )
            self._models[name] = replace(model, slices=slices)

    def _promote(self, result: TrainOffersResult) -> TrainOffersResult:
        from training.promotion import promote

        outcome = promote(
            self._options.store, result.job.programme, result.job.task, result.versions[result.best]
        )
        self._say("went through the promotion gate")
        if not outcome.promoted and outcome.previous is None and COUNTING in result.versions:
            # Better that counting serves than nothing.
            counting = promote(
                self._options.store, result.job.programme, result.job.task, result.versions[COUNTING]
            )
            return replace(result, promotion=f"{outcome.reason} {counting.reason}", promoted=False)
        return replace(result, promotion=outcome.reason, promoted=outcome.promoted)

    def _result(
        self,
        job: JobInfo,
        best: str,
        recorder: OffersRecorder,
        run_ids: Mapping[str, str],
        versions: Mapping[str, str],
    ) -> TrainOffersResult:
        return TrainOffersResult(
            job=job,
            models=tuple(self._models.values()),
            best=best,
            run_ids=run_ids,
            versions=versions,
            parent_run_id=recorder.parent_run_id,
            experiment_id=recorder.experiment_id,
            experiment_name=experiment_name(job.programme),
            tracking_uri=tracking_uri(self._options.store),
            registered_model=registered_model_name(job.programme, job.task),
            differences=self._differences(),
            left_out=dict(self._learning.left_out),
        )

    def _differences(self) -> dict[str, Estimate]:
        counting = self._models.get(COUNTING)
        if counting is None:
            return {}
        return {
            name: paired_difference(model.judged, counting.judged, self._job_data.metric)
            for name, model in self._models.items()
            if name != COUNTING
        }

    def _say(self, text: str, *, step: bool = True) -> None:
        self._done += step
        if self._progress is not None:
            self._progress(text, min(self._done, self._total), self._total)
