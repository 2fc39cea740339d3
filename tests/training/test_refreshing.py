"""Growing and merging histories: what was known keeps its meaning, and two parts make the same whole."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests.training.histories import score_all
from training.bundle import AttributeCodes, Ids, OfferModel, Task
from training.bundle.features import feature_names
from training.bundle.history import DISCOUNTED, VALUE, History
from training.bundle.scorers import Covers, Mixture, Popular
from training.data.histories import Calendar, build_history, season_trips
from training.data.purchases import ROW_SCHEMA, Purchases
from training.data.tables import Tables, load_tables
from training.errors import TrainingError
from training.evaluation.folds import fit_data
from training.offers.recipe import (
    KNOWN_FILE,
    RECIPE_FILE,
    Kind,
    Known,
    Recipe,
    RecipePart,
    read_recipe,
    recipe_of,
    write_recipe,
)
from training.offers.refreshing import add_purchases, check_features, data_of, grow, grow_ids, refit
from training.recommenders import Als, DecayedFrequency, Ease, SeasonalPopularity, Warp

MEMBERS, PRODUCTS = 12, 9


def purchases(seed: int, *, days: float = 60.0, count: int = 1500) -> pl.DataFrame:
    """Return random purchases; what a member buys on one day is one trip."""
    rng = np.random.default_rng(seed)
    time = np.sort(rng.random(count) * days) + 17_000
    return pl.DataFrame(
        {
            "member": rng.integers(0, MEMBERS, count),
            "product": rng.integers(0, PRODUCTS, count),
            "time": time,
            "trip": np.floor(time).astype(np.int64),
            "value": rng.random(count) * 20,
            "discounted": np.zeros(count, bool),
        },
        schema_overrides=ROW_SCHEMA,
    )


def history(rows: pl.DataFrame, moment: float) -> History:
    return build_history(rows, moment, member_count=MEMBERS, product_count=PRODUCTS)


@pytest.mark.parametrize("known_until", [17_020.0, 17_020.37, 17_058.9])
def test_two_parts_make_the_history_of_all_rows(known_until: float) -> None:
    """Wherever a table is cut, within a day too, adding the later part gives what counting everything at once gives."""
    rows = purchases(1)
    moment = float(rows["time"].max() or 0.0)  # type: ignore[arg-type]  # a float column
    later = rows.filter(pl.col("time") > known_until)
    added = add_purchases(history(rows, known_until), later, known_until, moment)
    whole = history(rows, moment)

    assert added.indptr.tolist() == whole.indptr.tolist()
    assert added.indices.tolist() == whole.indices.tolist()
    for ours, expected in ((added.columns, whole.columns), (added.members, whole.members)):
        assert ours[:, [0, DISCOUNTED]].tolist() == expected[:, [0, DISCOUNTED]].tolist()
        assert ours[:, VALUE] == pytest.approx(expected[:, VALUE], rel=1e-5)
        assert ours == pytest.approx(expected, rel=1e-5, abs=2e-5)


def test_many_small_parts_make_the_history_of_all_rows() -> None:
    """Rounding does not add up: a part per day gives what counting everything at once gives."""
    rows = purchases(2, days=40, count=800)
    until = 17_000.25
    known = history(rows, until)
    while until < float(rows["time"].max() or 0.0):  # type: ignore[arg-type]  # a float column
        part = rows.filter((pl.col("time") > until) & (pl.col("time") <= until + 1))
        last = float(part["time"].max() or 0.0)  # type: ignore[arg-type]
        known, until = add_purchases(known, part, until, last), last
    whole = history(rows, until)
    assert known.columns[:, 0].tolist() == whole.columns[:, 0].tolist()
    assert known.columns == pytest.approx(whole.columns, rel=2e-5, abs=5e-5)
    assert known.members == pytest.approx(whole.members, rel=2e-5, abs=5e-5)


def test_ids_make_room_and_keep_their_meaning() -> None:
    """New ids stand where they belong; each old id is where its place says."""
    ids = Ids.of(["b", "d", "é"])
    grown, places = grow_ids(ids, ["é", "a", "c", "z", "c"])
    assert grown.texts() == ("a", "b", "c", "d", "z", "é")
    assert [grown[place] for place in places.tolist()] == ["b", "d", "é"]
    same, places = grow_ids(ids, ["d"])
    assert same is ids
    assert places.tolist() == [0, 1, 2]


def small_model(covers: Covers, offers: int) -> OfferModel:
    rows = purchases(3)
    return OfferModel(
        task=Task.REPLENISH,
        member_ids=Ids.of([f"m{place:02}" for place in range(MEMBERS)]),
        product_ids=Ids.of([f"p{place}" for place in range(PRODUCTS)]),
        offer_ids=Ids.of([f"o{place}" for place in range(offers)]),
        history=history(rows, 17_060.0),
        covers=covers,
        popular_scores=np.zeros(offers, np.float32),
        scorer=Popular(np.zeros(offers, np.float32)),
    )


def known_of(offers: int) -> Known:
    return Known(
        np.arange(MEMBERS, dtype=np.float32)[:, None],
        np.zeros((PRODUCTS, 0), np.float32),
        np.arange(PRODUCTS, dtype=np.int32),
        np.arange(offers, dtype=np.int32),
    )


def test_where_offers_cover_products_a_new_product_covers_nothing() -> None:
    """It enters the history alone: offers are what they were, and what they cover is the same by name."""
    covers = Covers(2, np.array([0, 2, 2, 3, *[3] * 6], np.int64), np.array([0, 1, 1], np.int32))
    model = small_model(covers, offers=2)
    grown = grow(model, known_of(2), ["m00x"], ["p0x"])

    assert grown.offer_ids is model.offer_ids
    assert grown.product_ids.texts()[:4] == ("p0", "p0x", "p1", "p2")
    products, offers = grown.covers.expand(np.arange(PRODUCTS + 1, dtype=np.int32))
    assert products.tolist() == [0, 0, 3]
    assert offers.tolist() == [0, 1, 1]
    assert grown.known.members[:3, 0].tolist() == [0, -1, 1]
    assert grown.known.product_categories[:3].tolist() == [0, -1, 1]
    assert grown.known.categories.tolist() == [0, 1]
    before, after = model.profile(5), grown.history.profile(6)
    assert after.columns.tobytes() == before.columns.tobytes()
    names = [model.product_ids[place] for place in before.products.tolist()]
    assert [grown.product_ids[place] for place in after.products.tolist()] == names
    assert grown.history.profile(1).stats.tolist() == [0.0] * 12


def test_what_is_known_must_be_of_the_model() -> None:
    """Attributes of other members are refused."""
    model = small_model(Covers(PRODUCTS), offers=PRODUCTS)
    with pytest.raises(TrainingError, match="of another model: train once"):
        grow(model, known_of(3), [], [])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"format": 7}, "has format 7, not 1"),
        ({"kind": "forest"}, "is damaged"),
        ({"parts": [{"name": "als"}]}, "is damaged"),
    ],
)
def test_a_recipe_that_cannot_be_read_asks_for_a_training(change: dict[str, object], says: str) -> None:
    """Recipes of other versions and damaged ones are one sentence."""
    model = {
        "format": 1,
        "kind": "single",
        "parts": [],
        "seed": 1,
        "has_times": True,
        "product_codes": {"names": [], "values": []},
        "features": [],
    }
    with pytest.raises(TrainingError, match=f"{says}.*train once"):
        Recipe.from_json(model | change)


def test_trees_that_learned_from_other_columns_ask_for_a_training() -> None:
    """What the trees look at must be what is computed now, column by column."""
    part, codes = (
        RecipePart.of("decayed_frequency", DecayedFrequency()),
        AttributeCodes(("tier",), (("gold",),)),
    )
    names = feature_names(["decayed_frequency"], ["tier"])
    check_features(Recipe(Kind.RANKER, (part,), 1, True, AttributeCodes(), names), codes)
    with pytest.raises(TrainingError, match=r"look at other numbers.*train once"):
        check_features(Recipe(Kind.RANKER, (part,), 1, True, AttributeCodes(), names[1:]), codes)


def test_settings_come_back_as_they_were() -> None:
    """A part gives the very settings it was made of; a recommender or a setting that is gone asks for a training."""
    settings = Als(factors=7, weighting="binary")
    assert RecipePart.of("als", settings).settings() == settings
    with pytest.raises(TrainingError, match="no recommender 'magic' any more"):
        RecipePart("x", "magic", {}).settings()
    with pytest.raises(TrainingError, match="settings of x are none of this Troth"):
        RecipePart("x", "als", {"speed": 3}).settings()


def test_covers_and_attributes_grow_with_what_they_are_of(tmp_path: Path) -> None:
    """Factors over attributes, categories and coupons fitted on two parts are those fitted on all rows, to rounding."""
    rng = np.random.default_rng(4)
    bought = pl.DataFrame(
        {
            "member": [f"m{place:02}" for place in rng.integers(0, 40, 1200)],
            "bought": [f"p{place:02}" for place in rng.integers(0, 12, 1200)],
            "day": np.sort(rng.random(1200) * 50),
        }
    )
    late = pl.DataFrame({"member": ["l", "m03"], "bought": ["p03", "p00x"], "day": [50.5, 51.0]})
    covers = pl.DataFrame(
        {
            "offer": [f"c{place}" for place in range(12)],
            "product_id": [f"p{place // 2:02}" for place in range(12)],
        }
    )
    offers = pl.DataFrame(
        {"offer": [f"c{place}" for place in range(12)], "kind": [f"k{place % 3}" for place in range(12)]}
    )
    members = pl.DataFrame(
        {"member": [f"m{place:02}" for place in range(40)], "tier": [f"t{place % 3}" for place in range(40)]}
    )
    frames = {"covers": covers, "offers": offers, "members": members}
    for name, frame in frames.items():
        frame.write_parquet(tmp_path / f"{name}.parquet")

    def read(frame: pl.DataFrame) -> Purchases:
        frame.write_parquet(tmp_path / "bought.parquet")
        tables = Tables(
            tmp_path / "bought.parquet",
            "member",
            "bought",
            members=tmp_path / "members.parquet",
            offers=tmp_path / "offers.parquet",
            covers=tmp_path / "covers.parquet",
            time_column="day",
        )
        return load_tables(tables).purchases

    part, whole = read(bought), read(pl.concat([bought, late]))
    assert part.covers.indptr is not None
    assert part.members.codes.names == ("tier",)
    until, moment = 40.0, 51.0
    before = OfferModel(
        task=Task.REPLENISH,
        member_ids=part.member_index,
        product_ids=part.product_index,
        offer_ids=part.offer_index,
        history=fit_data(part, part.rows, until).history,
        covers=part.covers,
        popular_scores=np.zeros(12, np.float32),
        scorer=Popular(np.zeros(12, np.float32)),
        attributes=part.members.codes,
    )
    parts = [
        RecipePart.of("warp", Warp(factors=4, epochs=2), weight=0.5),
        RecipePart.of("ease", Ease(), weight=0.3),
        RecipePart.of("decayed_frequency", DecayedFrequency(), weight=0.2),
    ]
    recipe = recipe_of(Kind.MIXTURE, parts, part, 1)
    grown = grow(before, Known.of(part, recipe, until), whole.member_ids, whole.product_ids)
    rows = whole.rows.filter(pl.col("time") > until)
    data = data_of(
        grown, add_purchases(grown.history, rows, until, moment), recipe, before.attributes, moment
    )
    expected = fit_data(whole, whole.rows, moment)

    assert grown.member_ids.texts() == whole.member_ids
    assert grown.product_ids.texts() == whole.product_ids
    assert grown.offer_ids.texts() == whole.offer_ids
    ours = refit(recipe, before.scorer, data, grown.known, Task.REPLENISH)
    theirs = refit(recipe, before.scorer, expected, Known.of(whole, recipe, moment), Task.REPLENISH)
    assert isinstance(ours, Mixture)
    assert isinstance(theirs, Mixture)
    assert score_all(ours, data) == pytest.approx(score_all(theirs, expected), rel=1e-4, abs=1e-5)


def test_seasons_are_read_from_the_calendar_day_by_day(tmp_path: Path) -> None:
    """A year of daily counts, kept on and grown, gives the trips of the weeks a year ago as the rows do."""
    rng = np.random.default_rng(6)
    time = np.sort(rng.random(4000) * 420) + 17_000
    rows = purchases(1, count=4000).with_columns(time=time, trip=np.floor(time).astype(np.int64))
    until, moment = 17_400.0, 17_410.6
    later = rows.filter((pl.col("time") > until) & (pl.col("time") <= moment))
    calendar = (
        Calendar.of(rows, until)
        .moved(np.arange(PRODUCTS) + 1)
        .with_rows(later.with_columns(product=pl.col("product") + 1), moment)
    )
    known = replace(known_of(PRODUCTS), calendar=calendar)
    recipe = Recipe(Kind.SINGLE, (RecipePart.of("s", SeasonalPopularity()),), 1, True, AttributeCodes())
    write_recipe(tmp_path, recipe, known)
    read, kept = read_recipe(tmp_path / RECIPE_FILE, tmp_path / KNOWN_FILE)

    assert read == recipe
    assert kept.calendar is not None
    expected = season_trips(rows, moment, 28, PRODUCTS)
    assert expected is not None
    assert kept.calendar.season(moment, 28, PRODUCTS + 1)[1:].tolist() == expected.tolist()
    assert kept.calendar.days.min() == 17_410 - 364
    (tmp_path / KNOWN_FILE).write_bytes(b"no arrays")
    with pytest.raises(TrainingError, match=r"is damaged.*train once"):
        read_recipe(tmp_path / RECIPE_FILE, tmp_path / KNOWN_FILE)
