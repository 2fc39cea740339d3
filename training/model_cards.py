"""What a run says about itself in words: a short card per model and a comparison."""

from collections.abc import Mapping

from training.data.dataset import OfferDataset
from training.evaluation import METRICS, Estimate, Evaluation
from training.offers_result import TrainOffersResult
from training.recommenders import DecayedFrequency, Recommender

COUNTING = DecayedFrequency.name


def model_card(
    recommender: Recommender,
    evaluation: Evaluation,
    delta: Mapping[str, Estimate],
    tags: Mapping[str, str],
    *,
    champion: str,
) -> str:
    """Return a model's card in Markdown."""
    lines = [
        f"## {recommender.name}",
        recommender.summary,
        "",
        "| validation metric | value | 95 % interval | against decayed frequency |",
        "| --- | --- | --- | --- |",
    ]
    lines += [
        f"| {METRICS[name]} | {estimate.value:.4f} | {_interval(estimate)} | {_signed(delta.get(name))} |"
        for name, estimate in evaluation.metrics.items()
    ]
    role = (
        "This model is the **champion** of its job: the best hits per trip on validation."
        if recommender.name == champion
        else f"Champion of its job: {champion}."
    )
    lines += [
        "",
        role,
        f"Split: {tags['troth.split']}. Later weeks were not looked at. Intervals are over members (delta method).",
        f"Catalogue rule: {tags['troth.catalogue_rule']}",
        "Members the model does not know get popular offers.",
        "The model predicts what members buy, not what an offer changes: only a randomised experiment can tell that.",
        "Loading the model needs Troth to be installed; the bundle beside it holds plain arrays.",
    ]
    return "\n".join(lines)


def comparison_note(result: TrainOffersResult, dataset: OfferDataset) -> str:
    """Return the comparison of all models of a job in Markdown."""
    metrics = list(METRICS)
    ordered = sorted(result.models, key=lambda model: -model.metrics["hits_per_trip"].value)
    lines = [
        f"## Offers for programme {result.programme}",
        verdict(result),
        "",
        f"| model | {' | '.join(METRICS[name] for name in metrics)} | hits against decayed frequency |",
        f"| --- |{' --- |' * (len(metrics) + 1)}",
    ]
    for model in ordered:
        cells = " | ".join(
            f"{model.metrics[name].value:.4f} ± {model.metrics[name].standard_error:.4f}" for name in metrics
        )
        lines.append(f"| {model.name} | {cells} | {_signed(model.difference.get('hits_per_trip'))} |")
    lines += [
        "",
        "± is the standard error over members.",
        f"Data: {dataset.name}, {len(dataset.offers):,} offers. {dataset.catalogue_rule}",
        f"Split: {result.split}. Later weeks were not looked at.",
    ]
    return "\n".join(lines)


def verdict(result: TrainOffersResult) -> str:
    """Return one sentence on who won, and say it plainly when counting did."""
    best = result.model(result.champion)
    shown = f"{best.metrics['hits_per_trip'].value:.4f} hits per trip on validation"
    if result.champion == COUNTING:
        return f"Counting what members bought before wins, and it serves: {COUNTING}, {shown}."
    return f"{result.champion} wins with {shown}."


def _interval(estimate: Estimate) -> str:
    low, high = estimate.interval
    return f"{low:.4f} to {high:.4f}"


def _signed(estimate: Estimate | None) -> str:
    return "" if estimate is None else f"{estimate.value:+.4f} ± {estimate.standard_error:.4f}"
