"""One behaviour suite for all recommenders, on a checkerboard whose answer is obvious by eye."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from tests.training.synthetic import checkerboard, dataset, noon
from training.bundle import OfferModel, open_bundle, write_bundle
from training.data.interactions import Interactions, build_interactions
from training.recommenders import (
    RECOMMENDERS,
    Als,
    Bpr,
    DecayedFrequency,
    ItemItem,
    Popularity,
    Recommender,
    Warp,
)

# Settings that learn something from 120 members in a second; the defaults are for a year of 2,469 households.
SUITE: list[Recommender] = [
    Popularity(),
    DecayedFrequency(),
    ItemItem(neighbours=12),
    Als(factors=8, regularisation=0.1),
    Bpr(factors=8, learning_rate=0.1, iterations=100),
    Warp(factors=8, epochs=30),
]
PERSONAL = [recommender for recommender in SUITE if not isinstance(recommender, Popularity)]
COLLABORATIVE = [recommender for recommender in PERSONAL if not isinstance(recommender, DecayedFrequency)]

all_of_them = pytest.mark.parametrize("recommender", SUITE, ids=lambda recommender: recommender.name)
personal = pytest.mark.parametrize("recommender", PERSONAL, ids=lambda recommender: recommender.name)
collaborative = pytest.mark.parametrize(
    "recommender", COLLABORATIVE, ids=lambda recommender: recommender.name
)


@pytest.fixture(scope="module")
def board() -> Interactions:
    data = checkerboard()
    return build_interactions(data, data.purchases, 5)


def scores_of(model: OfferModel, member_id: str) -> dict[str, float]:
    scores = model.scores(model.member_ids.index(member_id))
    return dict(zip(model.offer_ids, scores.tolist(), strict=True))


def arrays_of(model: OfferModel) -> list[bytes]:
    parts = [model.popular_scores]
    for group in (model.personal, model.factors):
        if group is not None:
            parts += [getattr(group, field.name) for field in dataclasses.fields(group)]
    return [part.tobytes() for part in parts]


def test_the_suite_covers_every_recommender() -> None:
    """A recommender that is added to the registry joins this suite."""
    assert [type(recommender) for recommender in SUITE] == list(RECOMMENDERS.values())


@personal
def test_members_get_offers_of_their_own_kind(recommender: Recommender, board: Interactions) -> None:
    """A member who buys apples gets the apple offer before the bean offer, and the other way round."""
    model = recommender.fit(board, seed=1)
    for number in range(0, 60, 7):
        apple_lover, bean_lover = scores_of(model, f"a{number:02d}"), scores_of(model, f"b{number:02d}")
        assert apple_lover["apples"] > apple_lover["beans"]
        assert bean_lover["beans"] > bean_lover["apples"]


@collaborative
def test_similar_members_fill_the_gap(recommender: Recommender, board: Interactions) -> None:
    """An apple that the member never bought ranks above every bean, because other apple lovers buy it."""
    model = recommender.fit(board, seed=1)
    for number in range(0, 60, 7):
        scores = scores_of(model, f"a{number:02d}")
        assert scores[f"a{number % 6}"] > max(scores[f"b{product}"] for product in range(6))


def test_decayed_frequency_counts_by_hand() -> None:
    """Two purchases, one a half-life old and one three, score 1/2 + 1/8 on each offer that covers the product."""
    weeks = [
        ("m", "p", "1", noon(1), 1, 1, 1.0),
        ("m", "p", "2", noon(3), 3, 1, 1.0),
        ("m", "q", "3", noon(3), 3, 1, 1.0),
    ]
    data = dataset(weeks, {"both": ["p", "q"], "none": ["z"], "p": ["p"]})
    interactions = build_interactions(data, data.purchases, 3)
    half_life = float(interactions.age_days[1])
    age_one = float(interactions.age_days[0])
    scores = scores_of(DecayedFrequency(half_life_days=half_life).fit(interactions, seed=0), "m")
    old = 0.5 ** (age_one / half_life)
    assert age_one - half_life == pytest.approx(14)
    assert scores == pytest.approx({"both": 0.5 + 0.5 + old, "none": 0.0, "p": 0.5 + old})


def test_a_product_is_not_its_own_neighbour() -> None:
    """Item-item scores what goes with a member's products, not the products themselves: alone they score 0."""
    rows = [
        (f"{kind}{number}", kind, f"{kind}{number}", noon(1), 1, 1, 1.0)
        for kind in "pqr"
        for number in range(30)
    ]
    data = dataset(rows, {"p": ["p"], "q": ["q"]})
    model = ItemItem().fit(build_interactions(data, data.purchases, 1), seed=0)
    assert scores_of(model, "p0") == {"p": 0, "q": 0}


@pytest.mark.parametrize("days", [0.0, -1.0, float("nan")])
def test_half_life_must_be_positive(days: float) -> None:
    """A half-life that cannot be is named when the recommender is made."""
    with pytest.raises(ValueError, match="half_life_days"):
        DecayedFrequency(half_life_days=days)


def test_popularity_counts_rows_of_eight_weeks() -> None:
    """Popular scores are purchase rows of covered products in the last 56 days, however much each row holds."""
    rows = [(f"m{week}", "p", str(week), noon(week), week, 9, 5.0) for week in range(1, 12)]
    data = dataset(rows, {"p": ["p"], "two": ["p", "q"], "z": ["z"]})
    model = Popularity().fit(build_interactions(data, data.purchases, 11), seed=0)
    # The week of the last purchase counts as ended at the midnight after it, so week 4 is 49.3 days old and week 3 56.3.
    assert dict(zip(model.offer_ids, model.popular_scores.tolist(), strict=True)) == {
        "p": 8,
        "two": 8,
        "z": 0,
    }


@all_of_them
def test_same_seed_same_bits(recommender: Recommender, board: Interactions) -> None:
    """Fitting twice gives the same model bit for bit; a run can be repeated."""
    first, second = recommender.fit(board, seed=3), recommender.fit(board, seed=3)
    assert arrays_of(first) == arrays_of(second)
    assert first.member_ids == second.member_ids


@all_of_them
def test_every_model_carries_the_same_cold_path(recommender: Recommender, board: Interactions) -> None:
    """Popular scores do not depend on the recommender, so the control arm does not either."""
    model = recommender.fit(board, seed=1)
    assert model.popular_scores.tolist() == board.popular_scores.tolist()
    assert model.offer_ids == board.offer_ids


@all_of_them
def test_unknown_members_are_not_in_the_model(recommender: Recommender, board: Interactions) -> None:
    """Members without purchases, and for collaborative models without a modelled product, take the cold path."""
    model = recommender.fit(board, seed=1)
    assert "nobody" not in model.member_ids
    assert ("fuel" in model.member_ids) == (recommender not in COLLABORATIVE)


@all_of_them
def test_offers_nobody_ever_bought_score_zero(recommender: Recommender, board: Interactions) -> None:
    """An offer whose products nobody bought scores 0: finite, and no personal evidence."""
    model = recommender.fit(board, seed=1)
    assert scores_of(model, "a00")["leeks"] == 0
    assert scores_of(model, "b59")["leeks"] == 0


@all_of_them
def test_one_member_or_all_members_the_same_bits(
    recommender: Recommender, board: Interactions, tmp_path: Path
) -> None:
    """A member scored alone, among all, or out of a written bundle has the same scores, bit for bit."""
    model = recommender.fit(board, seed=1)
    write_bundle(
        tmp_path / "b",
        model,
        programme="default",
        model_name=recommender.name,
        model_version="x",
        data_fingerprint="",
        feature_time=board.feature_time,
        parameters=recommender.parameters,
    )
    bundle = open_bundle(tmp_path / "b")
    batch = np.stack([model.scores(index) for index in range(len(model.member_ids))])
    for index, member_id in enumerate(model.member_ids):
        served = bundle.member_index(member_id)
        assert served is not None
        assert batch[index].tobytes() == model.scores(index).tobytes() == bundle.scores(served).tobytes()


@all_of_them
def test_nothing_to_learn_from_is_no_error(recommender: Recommender) -> None:
    """With only a product of a pseudo department, everybody gets popular offers and nothing breaks."""
    data = dataset(
        [("m", "petrol", "1", noon(1), 1, 20, 30.0)], {"x": ["x"], "y": ["y"]}, departments={"petrol": "FUEL"}
    )
    model = recommender.fit(build_interactions(data, data.purchases, 1), seed=1)
    assert model.popular_scores.tolist() == [0, 0]
    assert set(model.member_ids) <= {"m"}


@pytest.mark.parametrize("kind", RECOMMENDERS.values(), ids=RECOMMENDERS)
def test_grid_and_parameters_are_plain(kind: type[Recommender]) -> None:
    """Settings are plain values that a run can log, unique within the grid."""
    grid = kind.grid()
    assert len({str(setting.parameters) for setting in grid}) == len(grid) >= 1
    for setting in grid:
        assert all(isinstance(value, str | int | float) for value in setting.parameters.values())


def test_rare_products_and_pseudo_departments_do_not_take_part(board: Interactions) -> None:
    """Products bought by fewer members than asked for, and fuel, teach the collaborative models nothing."""
    from training.recommenders.matrices import product_matrix

    assert product_matrix(board, 20).weights.shape == (120, 12)
    assert product_matrix(board, 51).weights.shape == (0, 0)
