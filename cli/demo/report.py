"""What the demo's report says beside the numbers: what a replay can prove, and where everything came from."""

from collections.abc import Mapping
from datetime import UTC, datetime

import polars as pl

from cli.demo.replay import OFFER_COUNT, ReplayCounts
from experiments.pages import ReportContext
from training.data import OfferDataset
from training.evaluation.evaluation import COUNTING
from training.offers.result import TrainOffersResult

LIMITS = (
    (
        "This is a replay of real shopping trips, not a live test. Before each trip the server was asked for offers, and "
        "afterwards we looked whether the household had bought their products on that trip. Nobody saw these offers."
    ),
    (
        "So it proves who is better at guessing what a household will buy. Which half of the households was guessed for by which "
        "ranking was drawn at random, so the difference between the two is not an accident of who is in which half."
    ),
    (
        "It cannot prove that showing the offers sells more. Behaviour was not influenced: a household that buys its coffee "
        "anyway counts as a hit. The dollars are what was paid for the offers' products, not additional sales, and the cost of "
        "the discounts is not taken off. Only a live experiment, with offers really shown, can tell that."
    ),
    (
        "The weeks hold Christmas, and the households were chosen by the publisher of the data because they shop often; "
        "another season or a wider membership may differ."
    ),
)


def report_context(
    dataset: OfferDataset, trained: TrainOffersResult, counts: ReplayCounts, decisions: pl.DataFrame
) -> ReportContext:
    """Return the texts of the demo's report.

    Args:
        dataset: What was replayed.
        trained: What the server ranked with.
        counts: What the replay did.
        decisions: Its log.

    Returns:
        The texts.
    """
    champion = trained.model(trained.best)
    eligible = decisions["eligible_count"]
    return ReportContext(
        title="Personal offers against popular offers",
        subtitle=f"Replay of {counts.trip_count:,} shopping trips of a grocery loyalty programme in December 2017",
        limits=list(LIMITS),
        facts={
            "Data": f"Complete Journey: {dataset.purchases.height:,} purchases of "
            f"{dataset.purchases['member_id'].n_unique():,} households in 2017",
            "Offers": f"{dataset.offers.height:,} coupons of {dataset.offers['campaign_id'].n_unique()} campaigns; on a "
            f"trip, those of the day compete: {_range(eligible)}",
            "Catalogue rule": f"{dataset.catalogue_rule} That left out {dataset.excluded_offers.height} coupons.",
            "Who gets offers": f"Every household may get every offer. Each trip asks for {OFFER_COUNT}.",
            "Offer hit": "A shown offer is hit if at least one product that its coupon covers was bought on the trip.",
            "Dollars": "What was paid on the trip for products that a shown offer covers; a product that several shown "
            "offers cover counts once.",
            "Popular offers": "The same for everybody: ranked by how often the products they cover were sold in the "
            "weeks before the replay, the last ones counting most.",
            "Personal offers": f"Ranked by the champion, {champion.name.replace('_', ' ')} "
            f"({_settings(champion.parameters)}): the best of {len(trained.models)} models on the last campaigns before week 50, "
            f"ranked with what was known on each campaign's first day; fitted again on weeks 1 to 49. {_counting(trained)}",
            "Held out": "Weeks 50 to 53 were used for nothing but this replay.",
        },
        technical={
            "Model version": _distinct(decisions["model_version"]),
            "Member features reach to": _time(decisions["feature_time"].max()),
            "Experiment plan": _distinct(decisions["plan_revision"]),
            "Catalogue": _distinct(decisions["catalogue_revision"]),
            "Decisions in the log": f"{decisions.height:,}; for households unknown to the model: "
            f"{counts.unknown_member_count:,}",
            "Data fingerprint": dataset.fingerprint,
            "MLflow run": trained.parent_run_id,
            "Seed": str(trained.job.seed),
        },
        generated_time=datetime.now(UTC),
    )


def _distinct(values: pl.Series) -> str:
    return ", ".join(values.unique().sort().to_list())


def _range(eligible: pl.Series) -> str:
    counts = eligible.to_list()
    return f"between {min(counts)} and {max(counts)}, {sum(counts) / len(counts):.0f} on average"


def _settings(parameters: Mapping[str, object]) -> str:
    return (
        ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in parameters.items()) or "no settings"
    )


def _counting(trained: TrainOffersResult) -> str:
    if trained.best == COUNTING:
        return "It only counts what the household bought before, recent purchases more: no trained model beat counting."
    return "It beat counting what the household bought before."


def _time(value: object) -> str:
    return value.strftime("%Y-%m-%d %H:%M UTC") if isinstance(value, datetime) else "unknown"
