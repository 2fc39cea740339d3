"""One behaviour suite for all recommenders, on a checkerboard whose answer is obvious by eye."""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
import optuna
import pytest

from tests.training.histories import checkerboard, fit_data, score_all
from training.bundle.history import empty_profile
from training.bundle.scorers import Covers
from training.data.purchases import FitData
from training.recommenders import (
    RECOMMENDERS,
    Als,
    Bpr,
    DecayedFrequency,
    Ease,
    GraphFilter,
    ItemItem,
    Lmf,
    Popularity,
    Recommender,
    SeasonalPopularity,
    TifuKnn,
    Warp,
)

# Settings that learn something from 60 members in a moment; the defaults are for thousands.
SUITE: list[Recommender] = [
    Popularity(),
    SeasonalPopularity(),
    DecayedFrequency(),
    TifuKnn(neighbours=20),
    ItemItem(neighbours=12),
    Ease(regularisation=10.0),
    GraphFilter(factors=2),
    Als(factors=2, regularisation=0.1),
    Bpr(factors=8, learning_rate=0.1, iterations=100),
    Lmf(factors=4),
    Warp(factors=8, epochs=30),
]
PERSONAL = [
    recommender for recommender in SUITE if not isinstance(recommender, Popularity | SeasonalPopularity)
]
COLLABORATIVE = [recommender for recommender in PERSONAL if not isinstance(recommender, DecayedFrequency)]
LIVE = [
    recommender
    for recommender in PERSONAL
    if isinstance(recommender, DecayedFrequency | TifuKnn | ItemItem | Ease | GraphFilter | Als)
]


def named(recommenders: Sequence[Recommender]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("recommender", recommenders, ids=lambda one: one.name)


@pytest.fixture(scope="module")
def board() -> FitData:
    return checkerboard()


def arrays_of(value: object) -> Iterator[bytes]:
    """Return the bits of everything a scorer holds."""
    if isinstance(value, np.ndarray):
        yield value.tobytes()
    elif isinstance(value, tuple):
        for one in value:
            yield from arrays_of(one)
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from arrays_of(getattr(value, field.name))
    else:
        yield repr(value).encode()


def test_the_suite_covers_every_recommender() -> None:
    """A recommender that is added to the registry joins this suite."""
    assert [type(recommender) for recommender in SUITE] == list(RECOMMENDERS.values())


@named(PERSONAL)
def test_members_get_products_of_their_own_kind(recommender: Recommender, board: FitData) -> None:
    """What a member buys ranks above everything of the other kind."""
    scores = score_all(recommender.fit(board, seed=1), board)
    for member in range(60):
        bought = board.history.profile(member).products
        other = slice(12, 24) if member < 30 else slice(0, 12)
        assert scores[member, bought].min() > scores[member, other].max()


@named(COLLABORATIVE)
def test_similar_members_fill_the_gap(recommender: Recommender, board: FitData) -> None:
    """Of all a member never bought, the product of the own kind ranks first, because similar members buy it."""
    scores = score_all(recommender.fit(board, seed=1), board)
    for member in range(60):
        scores[member, board.history.profile(member).products] = -np.inf
        withheld = member % 30 % 12 + 12 * (member // 30)
        assert int(scores[member].argmax()) == withheld


@named(SUITE)
def test_one_member_alone_or_all_in_any_order_the_same_bits(recommender: Recommender, board: FitData) -> None:
    """Scores do not depend on who else is scored, or when; a decision can be replayed."""
    scorer = recommender.fit(board, seed=1)
    forwards = score_all(scorer, board)
    for member in reversed(range(60)):
        alone = scorer.scores(board.history.profile(member), member)
        assert alone.tobytes() == forwards[member].tobytes()


@named(SUITE)
def test_scores_are_the_callers_own(recommender: Recommender, board: FitData) -> None:
    """A caller may overwrite scores, for example with minus infinity, without spoiling the next answer."""
    scorer = recommender.fit(board, seed=1)
    for profile, member in ((board.history.profile(0), 0), (empty_profile(), None)):
        first = scorer.scores(profile, member)
        before = first.tobytes()
        first[:] = -np.inf
        assert scorer.scores(profile, member).tobytes() == before


@named(SUITE)
def test_same_seed_same_bits_with_any_number_of_threads(recommender: Recommender, board: FitData) -> None:
    """Fitting again gives the same model bit for bit, with two threads as with one; a run can be repeated."""
    first, again, parallel = (recommender.fit(board, seed=3, threads=threads) for threads in (1, 1, 2))
    assert list(arrays_of(first)) == list(arrays_of(again)) == list(arrays_of(parallel))


@named(SUITE)
@pytest.mark.parametrize(
    "data",
    [
        pytest.param(fit_data([], members=0, products=0), id="nothing at all"),
        pytest.param(fit_data([], members=3, products=5), id="no purchases"),
        pytest.param(fit_data([(0, 1, 3.0)], members=1, products=4), id="one purchase"),
        pytest.param(fit_data([(0, p, 3.0) for p in range(3)], members=1, products=3), id="one bought all"),
        pytest.param(
            fit_data([(m, p, 3.0) for m in range(9) for p in range(3)], members=10, products=5),
            id="all equal",
        ),
        pytest.param(fit_data([(0, 0, 1e6), (1, 1, 2e6)], members=2, products=2), id="very old"),
    ],
)
def test_little_to_learn_from_is_no_error(recommender: Recommender, data: FitData) -> None:
    """However little there is to learn from, every offer has a finite score for every member."""
    scorer = recommender.fit(data, seed=1)
    for member in range(data.history.member_count):
        scores = scorer.scores(data.history.profile(member), member)
        assert scores.shape == (data.covers.offer_count,)
        assert scores.dtype == np.float32
        assert np.isfinite(scores).all()


@named(SUITE)
def test_the_defaults_fit_too(recommender: Recommender, board: FitData) -> None:
    """What people get without any setting fits small data and gives finite scores."""
    assert np.isfinite(score_all(type(recommender)().fit(board, seed=1), board)).all()


@named(SUITE)
def test_somebody_unknown_gets_finite_scores(recommender: Recommender, board: FitData) -> None:
    """A member who came after the fit and did nothing yet is scored like anybody else."""
    scores = recommender.fit(board, seed=1).scores(empty_profile(), None)
    assert scores.shape == (25,)
    assert np.isfinite(scores).all()


@named(LIVE)
def test_purchases_after_the_fit_count_at_once(recommender: Recommender, board: FitData) -> None:
    """Somebody unknown who buys two products gets offers of that kind, without another fit."""
    profile = empty_profile().with_trip([13, 14])
    scores = recommender.fit(board, seed=1).scores(profile, None)
    before = recommender.fit(board, seed=1).scores(empty_profile(), None)
    assert scores.tobytes() != before.tobytes()
    assert scores[13] > scores[:12].max()


@named(SUITE)
def test_an_offer_scores_the_sum_of_its_products(recommender: Recommender, board: FitData) -> None:
    """Fitted with offers that cover several products, a model scores each the sum of its products' scores."""
    belongs = [[0, 2], [0], [0], [1], [1], [], *([2],) * 19]
    grouped = dataclasses.replace(
        board,
        covers=Covers(
            3,
            np.cumsum([0, *map(len, belongs)]).astype(np.int64),
            np.array([offer for one in belongs for offer in one], np.int32),
        ),
    )
    covers = np.zeros((25, 3))
    for product, offers in enumerate(belongs):
        covers[product, offers] = 1
    single = score_all(recommender.fit(board, seed=1), board)
    several = score_all(recommender.fit(grouped, seed=1), grouped)
    # Popularity breaks ties of frequency by a millionth, as a share of the most popular offer.
    assert several == pytest.approx(single @ covers, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("kind", RECOMMENDERS.values(), ids=RECOMMENDERS)
def test_studies_propose_settings(kind: type[Recommender]) -> None:
    """Optuna proposes settings that a recommender accepts."""
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    proposed = [kind.suggest(study.ask()) for _ in range(20)]
    for setting in proposed:
        assert all(type(value) in {str, int, float, bool} for value in setting.parameters.values())
    assert len({str(setting.parameters) for setting in proposed}) > 3


@pytest.mark.parametrize("kind", RECOMMENDERS.values(), ids=RECOMMENDERS)
def test_recommenders_say_what_they_are(kind: type[Recommender]) -> None:
    """Every recommender has a name and a line for the model card, and settings that a run can log."""
    assert RECOMMENDERS[kind.name] is kind
    assert kind.summary.endswith(".")
    assert kind(**kind().parameters) == kind()


@pytest.mark.parametrize("half_life", [-1.0, 83.0, float("nan")])
@pytest.mark.parametrize("kind", [Popularity, DecayedFrequency, TifuKnn])
def test_half_lives_are_those_of_the_histories(kind: type[Recommender], half_life: float) -> None:
    """A half-life that histories hold no column for is named when the recommender is made."""
    with pytest.raises(ValueError, match="half_life_days"):
        kind(half_life_days=half_life)  # type: ignore[call-arg]  # all three take one


@pytest.mark.parametrize(
    ("kind", "settings", "named_in_error"),
    [
        (Als, {"weighting": "cubic"}, "weighting"),
        (Als, {"regularisation": 0.0}, "regularisation"),
        (Ease, {"regularisation": 0.0}, "regularisation"),
        (ItemItem, {"kind": "jaccard"}, "kind"),
        (TifuKnn, {"alpha": 1.5}, "alpha"),
        (Warp, {"loss": "hinge"}, "loss"),
    ],
)
def test_settings_that_cannot_be_are_refused(
    kind: type[Recommender], settings: dict[str, str | float], named_in_error: str
) -> None:
    """A setting that makes no sense is named when the recommender is made, not when it is fitted."""
    with pytest.raises(ValueError, match=named_in_error):
        kind(**settings)


@pytest.mark.parametrize("kind", RECOMMENDERS.values(), ids=RECOMMENDERS)
def test_settings_to_begin_with_start_at_the_defaults_and_lie_in_the_space(kind: type[Recommender]) -> None:
    """A study tries the defaults first; whatever else it begins with is something it could propose itself."""
    starts = kind.starts()
    assert starts[0] == kind()
    for settings in starts:
        assert kind.suggest(optuna.trial.FixedTrial(dict(settings.parameters))) == settings


def test_als_begins_with_settings_for_repeats_and_for_clicks() -> None:
    """Purchases that repeat and ratings that do not want different ones, and a job without time tries no more."""
    assert [settings.weighting for settings in Als.starts()] == ["log_decayed_168", "binary"]
