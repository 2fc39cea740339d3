"""The job that refreshes a task's champion with the purchases made since its feature time."""

import hashlib
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from training.bundle import Bundle, OfferModel, open_bundle
from training.bundle.manifest import ACTIONS
from training.bundle.model import Task
from training.data.purchases import FitData, Purchases
from training.data.tables import Tables, load_tables
from training.errors import DatasetError, RegistryError, TrainingError
from training.evaluation import Fold
from training.evaluation.evaluation import metric_title, shown_estimate
from training.evaluation.folds import buyers_of, truth_matrix
from training.offers.champion import evaluate_elsewhere
from training.offers.job_data import MAX_VALIDATION_CASES, popular_scores
from training.offers.recipe import Known, Recipe, recipe_of_version
from training.offers.recording import RefreshedModel, record_refreshed
from training.offers.refreshing import (
    Added,
    Drift,
    RefreshResult,
    add_purchases,
    check_features,
    data_of,
    grow,
    refit,
)
from training.offers.tuning import MeasuredFit, measured
from training.promotion import named, promote
from training.threads import one_thread_of_algebra
from training.tracking import ModelRegistry, RegisteredVersion
from training.tracking.registry import CHAMPION_ALIAS
from training.tracking.runs import JobInfo, code_version, metric_key


def measure_drift(
    champion: OfferModel,
    here: OfferModel,
    before: FitData,
    rows: pl.DataFrame,
    *,
    known_until: float,
    moment: float,
    metric: str,
    judged: float | None,
    seed: int,
) -> Drift | None:
    """Rank for every member of the new purchases by what was known before them.

    Args:
        champion: As it serves.
        here: A model of the new positions.
        before: Histories up to ``known_until``, in the new positions.
        rows: ``member`` and ``product`` of the new purchases, in the new positions.
        known_until: The moment that the champion reaches to, in days since 1970.
        moment: The last new purchase.
        metric: The metric that decides.
        judged: What it reached when it was judged.
        seed: Of a sample of the cases, when there are many.

    Returns:
        How it did; ``None`` where purchases are not what is asked for, or there are fewer than two cases.
    """
    if here.task is Task.REDEEM:
        return None
    product = rows["product"].to_numpy()
    positions, offers = before.covers.expand(product)
    truths = pl.DataFrame({"member": rows["member"].to_numpy()[positions], "offer": offers.astype(np.int32)})
    open_offers = buyers_of(before) >= 1
    members, matrix = truth_matrix(truths, before.covers.offer_count, open_offers)
    if not len(members):
        return None
    fold = Fold("new purchases", before, known_until, moment, members, matrix, open_offers)
    seen = replace(here, history=before.history)
    k = int(metric.split("@")[1])
    found = evaluate_elsewhere(champion, [seen], [fold], [k], most_cases=MAX_VALIDATION_CASES, seed=seed)
    if found is None or metric not in found.metrics:
        return None
    return Drift(metric, found.metrics[metric], len(found.members), moment - known_until, judged)


Progress = Callable[[str, int, int], None]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY = timedelta(days=1)
_ROUNDING = 2e-11
"""Days by which a time may be off after a round trip through a manifest: two microseconds."""
_STEPS = 5


def refresh_model(
    store: Path, programme: str, task: str, tables: Tables, progress: Progress | None = None
) -> RefreshResult:
    """Add the purchases since the champion's feature time, fit it again with the same settings, and let it serve.

    Rows up to the feature time are left out, so no purchase counts twice however tables overlap. The new version goes
    through the gate: its bundle opens, scores as it did here bit for bit, and is fast enough; its evaluation is that of
    the version it goes back to, because no purchase is left that it has not seen.

    Args:
        store: Folder of the MLflow store.
        programme: Loyalty programme.
        task: What the model is for.
        tables: Where the purchases are; only interactions and their columns are looked at.
        progress: Called with what is being done, steps done and all steps.

    Returns:
        What was made, and whether it serves.

    Raises:
        RegistryError: There is no champion, how to fit it again was not kept, or the models are for actions.
        BundleError: The champion's bundle is damaged.
        DatasetError: The table cannot be used, or nothing in it is new.
        TrainingError: A part of the model cannot be fitted any more.
    """
    say = progress or (lambda _what, _done, _all: None)
    if task == ACTIONS:
        raise RegistryError(
            "Action models are not refreshed by purchases: train them on a newer trial.", task=task
        )
    registry = ModelRegistry(store, programme, task)
    champion = registry.version_of(CHAMPION_ALIAS)
    recipe, known = _recipe(registry, champion)
    say("reading the purchases", 0, _STEPS)
    purchases = load_tables(tables).purchases
    with tempfile.TemporaryDirectory(prefix="troth-") as folder, one_thread_of_algebra():
        bundle = open_bundle(registry.bundle(champion, Path(folder)))
        check_features(recipe, bundle.model.attributes)
        work = _Refresh(champion, bundle, recipe, known, purchases)
        say("fitting the first stage", 1, _STEPS)
        model, fitting = work.fit()
        say("ranking the new purchases by the champion", 2, _STEPS)
        drift = work.drift(model)
        say("recording", 3, _STEPS)
        job = work.job(programme)
        refreshed = RefreshedModel(
            model, recipe, work.grown.known, work.metrics(fitting, drift), work.tags(), work.note(drift)
        )
        recorded = record_refreshed(store, job, champion, bundle.manifest, refreshed)
    say("going through the promotion gate", 4, _STEPS)
    promotion = promote(store, programme, task, recorded.version)
    return RefreshResult(
        programme=programme,
        task=task,
        model=champion.model,
        version=recorded.version,
        refreshed_from=champion.version,
        evidence_from=champion.evidence_from,
        run_id=recorded.run_id,
        feature_time=job.feature_time,
        known_until=bundle.manifest.feature_time,
        added=work.added,
        drift=drift,
        promotion=promotion,
    )


class _Refresh:
    """The steps of one refresh.

    Attributes:
        grown: What the champion knew, with room for what is new.
        added: What was read and what enters.
    """

    def __init__(
        self,
        champion: RegisteredVersion,
        bundle: Bundle,
        recipe: Recipe,
        known: Known,
        purchases: Purchases,
    ) -> None:
        self._champion, self._bundle, self._recipe, self._purchases = champion, bundle, recipe, purchases
        self._known_until = (bundle.manifest.feature_instant - _EPOCH) / _DAY
        late = purchases.rows["time"] - self._known_until > _ROUNDING
        rows = purchases.rows.filter(late)
        left_out = len(late) - len(rows)
        if rows.is_empty():
            raise DatasetError(
                f"Nothing in {purchases.name} is new: none of its {len(late):,} rows is later than "
                f"{bundle.manifest.feature_time}, which {named(champion)} reaches to.",
                table=purchases.source,
            )
        self._moment = _last(rows, purchases)
        members = pl.Series(purchases.member_ids)
        products = pl.Series(purchases.product_ids)
        self.grown = grow(
            bundle.model,
            known,
            members.gather(rows["member"].unique()).to_list(),
            products.gather(rows["product"].unique()).to_list(),
        )
        self._rows = rows.with_columns(
            member=_positions(rows["member"], members, self.grown.member_ids.texts()),
            product=_positions(rows["product"], products, self.grown.product_ids.texts()),
        )
        if self.grown.known.calendar is not None:
            calendar = self.grown.known.calendar.with_rows(self._rows, self._moment)
            self.grown = replace(self.grown, known=replace(self.grown.known, calendar=calendar))
        first = float(rows["time"].min() or 0.0)  # type: ignore[arg-type]  # a float column
        self.added = Added(
            rows=len(rows),
            left_out=left_out,
            first_left_out=int((~late).arg_max() or 0) + 1 if left_out else 0,
            members=len(self.grown.member_ids) - len(bundle.model.member_ids),
            products=len(self.grown.product_ids) - len(bundle.model.product_ids),
            gap_days=first - self._known_until,
        )

    def fit(self) -> tuple[OfferModel, MeasuredFit]:
        """Fit the champion's first stage on everything."""
        grown, before = self.grown, self._bundle.model
        history = add_purchases(grown.history, self._rows, self._known_until, self._moment)
        data = data_of(grown, history, self._recipe, before.attributes, self._moment)
        with measured() as fitting:
            scorer = refit(self._recipe, before.scorer, data, grown.known, before.task)
        model = OfferModel(
            task=before.task,
            member_ids=grown.member_ids,
            product_ids=grown.product_ids,
            offer_ids=grown.offer_ids,
            history=history,
            covers=grown.covers,
            popular_scores=popular_scores(data, has_times=True),
            scorer=scorer,
            attributes=before.attributes,
        )
        return model, fitting

    def drift(self, model: OfferModel) -> Drift | None:
        """Measure the champion on the new purchases."""
        before = self._bundle.model
        return measure_drift(
            before,
            model,
            data_of(self.grown, self.grown.history, self._recipe, before.attributes, self._known_until),
            self._rows,
            known_until=self._known_until,
            moment=self._moment,
            metric=self._champion.metric,
            judged=self._champion.metrics.get(metric_key(self._champion.metric)),
            seed=self._recipe.seed,
        )

    def job(self, programme: str) -> JobInfo:
        """Describe the refresh; what it is judged by is what the champion was judged by."""
        tags, purchases = self._champion.tags, self._purchases
        both = f"{self._bundle.manifest.data_fingerprint}\n{purchases.fingerprint}\n{self._known_until!r}"
        return JobInfo(
            programme=programme,
            task=self._champion.task,
            dataset=purchases.name,
            source=purchases.source,
            fingerprint=hashlib.sha256(both.encode()).hexdigest(),
            split=tags.get("troth.split", ""),
            judged_on=self._champion.judged_on,
            notes=(),
            metric=self._champion.metric,
            ks=(int(self._champion.metric.split("@")[1]),),
            seed=self._recipe.seed,
            code_version=code_version(),
            feature_time=self._feature_time,
        )

    def metrics(self, fitting: MeasuredFit, drift: Drift | None) -> dict[str, float]:
        """Return the numbers of the refresh."""
        found = {"fit_seconds": fitting.seconds, "peak_memory_mib": fitting.peak_memory_mib}
        if drift is not None:
            found |= {
                f"drift_{drift.metric}": drift.value.value,
                f"drift_{drift.metric}_se": drift.value.standard_error,
                "drift_cases": float(drift.cases),
                "drift_days": drift.days,
            }
        return found

    def tags(self) -> dict[str, str]:
        """Return the texts of the refresh."""
        return {
            "troth.new_rows": str(self.added.rows),
            "troth.new_members": str(self.added.members),
            "troth.new_products": str(self.added.products),
        }

    def note(self, drift: Drift | None) -> str:
        """Return what to say of the new version."""
        champion, added = self._champion, self.added
        until = self._bundle.manifest.feature_time
        lines = [
            f"## {champion.model} for {champion.task}, refreshed from version {champion.version}",
            f"{added.rows:,} purchases after {until} and up to {self._feature_time} were added.",
            f"{added.members:,} members and {added.products:,} products are new.",
            f"Settings and evaluation are those of version {champion.evidence_from}.",
            "Nothing is left to measure this one on that it has not seen.",
        ]
        if drift is not None:
            lines.append(
                f"On the new purchases, before it saw them, version {champion.version} reached "
                f"{metric_title(drift.metric)} {shown_estimate(drift.value)} in {drift.cases:,} cases."
            )
        return "\n".join(lines)

    @property
    def _feature_time(self) -> str:
        return (_EPOCH + self._moment * _DAY).isoformat().replace("+00:00", "Z")


def _recipe(registry: ModelRegistry, champion: RegisteredVersion) -> tuple[Recipe, Known]:
    """Return how to fit the champion again."""
    kept = recipe_of_version(registry, champion)
    if kept is None:
        raise RegistryError(
            f"{named(champion)} was made before Troth kept what it takes to fit a model again: train once, then refresh.",
            model=registry.name,
            version=champion.version,
        )
    if not kept[0].has_times:
        raise TrainingError(
            f"{named(champion)} was trained without times, so nobody can tell which purchases are new: train once with "
            "--time-column."
        )
    return kept


def _last(rows: pl.DataFrame, purchases: Purchases) -> float:
    """Return the time of the last purchase.

    Raises:
        DatasetError: It lies in the future, which would keep out every purchase until then.
    """
    tomorrow = time.time() / _DAY.total_seconds() + 1
    future = purchases.rows["time"] > tomorrow
    if future.any():
        count = int(future.sum())
        raise DatasetError(
            f"{purchases.name}: {count:,} {'row has' if count == 1 else 'rows have'} a time in the future, the first is row "
            f"{int(future.arg_max() or 0) + 1:,}. Mend or remove them.",
            table=purchases.source,
        )
    return float(rows["time"].max() or 0.0)  # type: ignore[arg-type]  # a float column


def _positions(codes: pl.Series, ids: pl.Series, among: tuple[str, ...]) -> pl.Series:
    """Return codes of one list of ids as positions in another one, which has all that are used."""
    places = pl.DataFrame({"id": ids}).join(
        pl.DataFrame({"id": among}).with_row_index("place"), on="id", how="left", maintain_order="left"
    )["place"]
    return places.gather(codes).cast(pl.Int32)
