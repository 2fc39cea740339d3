"""The coupons of the Complete Journey as folds: nothing of a test campaign, and nothing after it began, is known."""

import numpy as np
import pytest

from training.evaluation import Fold
from training.evaluation.folds import fit_data
from training.offers.complete_journey import Coupons, campaign_split, load_coupons

Folds = tuple[list[Fold], list[Fold]]


@pytest.fixture(scope="module")
def coupons() -> Coupons:
    return load_coupons()


@pytest.fixture(scope="module")
def folds(coupons: Coupons) -> Folds:
    """The folds of validation and test."""
    split = campaign_split(coupons)
    return [make() for make in split.validate], [make() for make in split.test]


def test_the_cases_are_the_published_ones(folds: Folds) -> None:
    """Eleven campaigns from August on, 513 households with a redemption in one of them, 2 to 209 coupons each."""
    _, tests = folds
    assert len(tests) == 11
    assert sum(len(fold.members) for fold in tests) == 513
    sizes = [int(fold.open_offers.sum()) for fold in tests]
    assert (min(sizes), max(sizes)) == (2, 209)


def test_settings_are_chosen_before_the_first_test_campaign(folds: Folds) -> None:
    """Campaigns overlap, so a validation campaign counts only what was redeemed before the first test campaign began."""
    validation, tests = folds
    first = min(fold.cutoff for fold in tests)
    assert any(fold.label_end > first for fold in validation)
    for fold in validation:
        assert fold.truth_times is not None
        assert np.all(fold.truth_times <= first)


def test_each_campaign_is_learned_from_once(coupons: Coupons, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the second stage learns from later are the campaigns that it does not learn from before validation."""
    # Which campaigns there are does not depend on the histories before them, which take most of the time.
    history = fit_data(coupons.purchases, coupons.purchases.rows.clear(), 0.0)
    monkeypatch.setattr("training.offers.complete_journey.fit_data", lambda *_: history)
    split = campaign_split(coupons)
    assert split.learn is not None
    learned = [make().name for make in (*split.train, *split.learn)]
    everything = {make().name for make in (*split.train, *split.validate, *split.test)}
    assert sorted(learned) == sorted(everything)


def test_lines_are_one_makers_products_of_one_type(coupons: Coupons) -> None:
    """Products of a line are of one type; there are more lines than types, and hardly a product has none."""
    purchases = coupons.purchases
    lines, types = purchases.covers.lines, purchases.product_categories
    assert lines is not None
    assert len(lines) == purchases.product_count
    known = lines >= 0
    assert known.mean() > 0.99
    pairs = np.unique(np.stack([lines[known], types[known]]), axis=1)
    assert pairs.shape[1] == len(np.unique(lines[known])) > 5 * len(np.unique(types))
