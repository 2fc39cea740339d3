import json
import os
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.training.bundle_models import (
    COVERS,
    MEMBERS,
    OFFERS,
    PRODUCTS,
    SCORERS,
    bare_model,
    ranker,
    small_model,
)
from training.bundle import (
    FORMAT_VERSION,
    MANIFEST_NAME,
    Bundle,
    BundleError,
    Ids,
    OfferModel,
    Task,
    open_bundle,
    write_bundle,
)
from training.bundle.history import empty_profile
from training.bundle.ranker import Calibration, Ranker
from training.bundle.scorers import AnyScorer, Covers, Factors, Popular

FEATURE_TIME = datetime(2017, 12, 4, 5, tzinfo=UTC)
KINDS: dict[str, AnyScorer | Ranker] = {**SCORERS, "ranker": ranker()}


def write(path: Path, model: OfferModel, **changes: object) -> Path:
    fields: dict[str, object] = {
        "programme": "default",
        "model_name": "decayed_frequency",
        "model_version": "decayed_frequency@0123456789ab",
        "data_fingerprint": "f" * 64,
        "feature_time": FEATURE_TIME,
        "parameters": {"half_life_days": 84},
        "metrics": {"hits_per_trip": 0.19},
    }
    write_bundle(path, model, **(fields | changes))  # type: ignore[arg-type]  # the fields vary by test
    return path


@pytest.fixture
def bundle_path(tmp_path: Path) -> Path:
    return write(tmp_path / "offers", small_model(ranker()))


def edit_manifest(path: Path, **changes: object) -> None:
    document = json.loads((path / MANIFEST_NAME).read_text())
    (path / MANIFEST_NAME).write_text(json.dumps(document | changes))


def test_round_trip_keeps_ids_and_manifest(bundle_path: Path) -> None:
    """What was written is what is read: ids of any script, the task, and where the model came from."""
    bundle = open_bundle(bundle_path)
    assert bundle.offer_ids == OFFERS
    assert bundle.offer_index == {"o1": 0, "o2": 1, "ö3": 2, "ö4": 3}
    assert bundle.member_count == 3
    assert bundle.model.member_ids.texts() == MEMBERS
    assert bundle.model.product_ids.texts() == PRODUCTS
    assert bundle.model.task is Task.REPLENISH
    assert bundle.model.popular_scores.tolist() == [4, 3, 2, 1]
    assert bundle.manifest.model_version == "decayed_frequency@0123456789ab"
    assert bundle.manifest.feature_time == "2017-12-04T05:00:00Z"
    assert bundle.manifest.feature_instant == FEATURE_TIME
    assert bundle.manifest.parameters == {"half_life_days": 84}
    assert (
        (bundle.manifest.format_version, bundle.manifest.task)
        == (FORMAT_VERSION, "replenish")
        == (3, "replenish")
    )


@pytest.mark.parametrize("kind", KINDS)
def test_scores_have_the_same_bits_after_reloading(tmp_path: Path, kind: str) -> None:
    """Evaluation and serving share one kernel: the same bits for the model in memory and for its bundle, for every kind of
    scorer, for members, for somebody unknown, with later trips and attributes.
    """  # noqa: D205  # one sentence
    model = small_model(KINDS[kind])
    read = open_bundle(write(tmp_path / "b", model)).model
    candidates = np.array([3, 0, 1])
    for member in (0, 1, 2, None):
        assert read.all_scores(member).tobytes() == model.all_scores(member).tobytes()
        later = [(2.5, ["p2", "ß-product", "unheard of"]), (0.0, ["p4"])]
        ours, theirs = model.profile_after(member, 9, later), read.profile_after(member, 9, later)
        scores = model.scores(ours, member, candidates, {"age": 41})
        assert scores.dtype == np.float32
        assert np.isfinite(scores).all()
        assert scores.tobytes() == read.scores(theirs, member, candidates, {"age": 41}).tobytes()


@pytest.mark.parametrize("kind", KINDS)
def test_scores_are_new_arrays(tmp_path: Path, kind: str) -> None:
    """A caller may write into the scores without changing the bundle, for every kind of scorer."""
    model = open_bundle(write(tmp_path / "b", small_model(KINDS[kind]))).model
    for member in (0, None):
        before = model.all_scores(member).copy()
        model.all_scores(member)[:] = -1
        assert model.all_scores(member).tolist() == before.tolist()


@pytest.mark.parametrize("kind", [name for name in KINDS if name != "ranker"])
def test_candidates_alone_and_among_others(kind: str) -> None:
    """The score of a candidate has the same bits alone and among all offers: a decision replays in any company."""
    model = small_model(KINDS[kind])
    everything = model.all_scores(2)
    for offer in range(len(OFFERS)):
        alone = model.scores(model.profile(2), 2, np.array([offer]))
        assert alone.tobytes() == everything[offer : offer + 1].tobytes()


def test_probabilities_and_the_rest() -> None:
    """The second stage gives probabilities to its shortlist; what is not on it stays below, in the first one's order."""
    model = small_model(ranker())
    scores = model.all_scores(0)
    assert ((scores > 0) & (scores < 1)).all()
    first = model.scorer.components[0].scores(model.profile(0), 0)  # type: ignore[union-attr]  # a second stage
    assert scores.argmax() in {first.argmax(), SCORERS["linear dense"].scores(model.profile(0), 0).argmax()}


def test_trees_that_know_no_strangers_leave_the_order_to_the_lead() -> None:
    """Who made fewer than two trips is ranked by the first component, with the probabilities that the trees give."""
    # The trees of this one say the opposite of what they were made to say, so their order is not the lead's.
    contrary = Calibration(ranker().calibration.weights * [1, -1, 1, 1, 1])
    everywhere = replace(ranker(), quotas=(4, 4), calibration=contrary)
    knowing, leading = small_model(everywhere), small_model(replace(everywhere, cold=False))
    everything, once = np.arange(len(OFFERS)), empty_profile().with_trip([1])
    order = np.argsort(-ranker().components[0].scores(once, None), kind="stable")
    by_trees, by_lead = (model.scores(once, None, everything) for model in (knowing, leading))
    assert (np.diff(by_lead[order]) <= 0).all()
    assert not (np.diff(by_trees[order]) <= 0).all()
    assert sorted(by_lead) == sorted(by_trees)
    twice = once.with_trip([1], age=3.0)
    assert (
        leading.scores(twice, None, everything).tolist() == knowing.scores(twice, None, everything).tolist()
    )
    assert leading.all_scores(0).tolist() == knowing.all_scores(0).tolist()


def test_attributes_count_for_strangers_only() -> None:
    """Attributes of a request change the scores of somebody unknown, and nothing for a member of the model."""
    model = small_model(ranker())
    every = np.arange(len(OFFERS))

    def scores(member: int | None, age: object) -> bytes:
        return model.scores(model.profile(member), member, every, {"age": age}).tobytes()

    assert scores(None, 20) != scores(None, 60)
    assert scores(None, float("nan")) == scores(None, "old") == scores(None, 1e300) == scores(None, -1)
    assert scores(0, 20) == scores(0, 60)
    assert model.is_told(model.profile(None), None, {"age": 20})
    assert not model.is_told(model.profile(None), None, {"age": "old", "height": 3})


def test_later_trips_add_up() -> None:
    """Trips one by one and all at once are the same history; an empty one without a known product is none."""
    model = small_model(SCORERS["frequency"])
    trips = [(5.0, ["p1", "p1"]), (1.0, ["p1", "p4"]), (1.0, ["unheard of"]), (0.0, [])]
    at_once = model.profile_after(0, 7, trips)
    step = model.profile_after(0, 7, []).with_trip([0], 5.0).with_trip([0, 3], 1.0)
    assert at_once.products.tolist() == step.products.tolist() == [0, 3]
    np.testing.assert_allclose(at_once.columns, step.columns, rtol=1e-6)
    np.testing.assert_allclose(at_once.stats, step.stats, rtol=1e-6)
    assert at_once.columns[:, :3].tolist() == [[3, 1, 10], [3, 1, 27]]


def test_feature_time_is_stored_in_utc(tmp_path: Path) -> None:
    """An aware time in another zone is the same instant in the manifest; a naive one is refused."""
    eastern = timezone(timedelta(hours=-5))
    model = bare_model(["a"], ["o"])
    path = write(tmp_path / "a", model, feature_time=datetime(2017, 12, 4, tzinfo=eastern))
    assert open_bundle(path).manifest.feature_time == "2017-12-04T05:00:00Z"
    with pytest.raises(BundleError, match="no time zone"):
        write(tmp_path / "b", model, feature_time=datetime(2017, 12, 4))  # noqa: DTZ001  # the point


@pytest.mark.parametrize(
    "member_id", ["", "A", "aa", "ü", "ü-member\0", "x" * 10_000, "日本語", "\ud800", "\0"]
)
def test_unknown_member_is_none(bundle_path: Path, member_id: str) -> None:
    """An id that the model does not know is not an error, whatever it looks like."""
    assert open_bundle(bundle_path).model.member_ids.index(member_id) is None


@settings(max_examples=40, deadline=None)
@given(ids=st.sets(st.text(max_size=8), max_size=30), probe=st.text(max_size=8))
def test_any_id_is_found_again(tmp_path_factory: pytest.TempPathFactory, ids: set[str], probe: str) -> None:
    """Every UTF-8 id (empty, NULs, any script) is found at its own position, and no other id is."""
    members = tuple(sorted(ids))
    bundle = open_bundle(write(tmp_path_factory.mktemp("ids") / "b", bare_model(members, members)))
    found = bundle.model.member_ids
    assert [found.index(member) for member in members] == list(range(len(members)))
    assert found.texts() == bundle.offer_ids == members
    assert (found.index(probe) is not None) == (probe in ids)


@pytest.mark.parametrize("index", [-1, 3])
def test_member_out_of_range_is_refused(bundle_path: Path, index: int) -> None:
    """A negative index must not read another member from the end."""
    with pytest.raises(IndexError, match="member_index"):
        open_bundle(bundle_path).model.profile(index)


def test_arrays_are_memory_mapped_and_read_only(bundle_path: Path) -> None:
    """Workers share the pages of a bundle, so its arrays are maps that nobody can write to."""
    model = open_bundle(bundle_path).model
    assert isinstance(model.scorer, Ranker)
    for array in (model.popular_scores, model.history.columns, model.scorer.trees.words):
        assert isinstance(array.base, np.memmap)
        with pytest.raises(ValueError, match="read-only"):
            array.flat[0] = 1


def test_existing_bundle_is_not_overwritten(bundle_path: Path) -> None:
    """A served folder never changes under its readers."""
    with pytest.raises(BundleError, match="exists already"):
        write(bundle_path, bare_model(["a"], ["o"]))


def test_failed_write_leaves_nothing(tmp_path: Path) -> None:
    """A write that fails half-way leaves neither a bundle nor its temporary folder."""
    with pytest.raises(BundleError, match="cannot be written"):
        write(tmp_path / "b", bare_model(["a"], ["o"]), metrics={"hits_per_trip": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_unwritable_place_is_one_sentence(tmp_path: Path) -> None:
    """A parent that is a file gives one clear sentence, not a traceback of the file system."""
    (tmp_path / "file").write_text("")
    with pytest.raises(BundleError, match="cannot be written"):
        write(tmp_path / "file" / "b", bare_model(["a"], ["o"]))


def test_missing_manifest_is_half_written(bundle_path: Path) -> None:
    """The manifest is written last, so a folder without one is a write that was interrupted."""
    (bundle_path / MANIFEST_NAME).unlink()
    with pytest.raises(BundleError, match=r"half-written: no manifest.json"):
        open_bundle(bundle_path)


def test_missing_folder(tmp_path: Path) -> None:
    """A wrong path is named."""
    with pytest.raises(BundleError, match="no such folder"):
        open_bundle(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format_version": 2}, "format version 2"),
        ({"format_version": 4}, "format version 4"),
        ({"format_version": None}, "format version None"),
        ({"kind": "actions"}, "kind 'actions'"),
        ({"task": "discover"}, "of task 'discover' with a model of 'replenish'"),
        ({"task": None}, "task is not a string"),
        ({"layout": []}, "layout is not an object"),
        ({"layout": {}}, "whose layout is none"),
        ({"layout": {"type": "Magic", "parts": {}}}, "whose layout is none"),
        ({"layout": {"type": "OfferModel", "parts": {}}}, "whose layout is none"),
        ({"layout": {"type": "Popular", "parts": {"offer_scores": 1}}}, "describes a Popular"),
        ({"layout": {"array": "nowhere.npy"}}, "does not list nowhere.npy"),
        ({"layout": {"array": "../escape.npy"}}, "does not list"),
        ({"files": {}}, "does not list"),
        ({"files": []}, "not a map of sha256"),
        ({"files": {"popular_scores.npy": 3}}, "not a map of sha256"),
        ({"metrics": {"hits": "many"}}, "finite numbers"),
        ({"parameters": {"a": [1]}}, "plain values"),
        ({"model_version": 7}, "model_version is not a string"),
        ({"feature_time": "yesterday"}, "not an RFC 3339 time"),
        ({"feature_time": "2017-12-04T05:00:00"}, "not an RFC 3339 time"),
    ],
)
def test_wrong_manifest_fields(bundle_path: Path, changes: dict[str, object], message: str) -> None:
    """Each field that does not fit is one sentence that names it."""
    edit_manifest(bundle_path, **changes)
    with pytest.raises(BundleError, match=message) as raised:
        open_bundle(bundle_path)
    assert raised.value.message.startswith(f"The bundle {bundle_path} ")


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null"])
def test_bad_json(bundle_path: Path, text: str) -> None:
    """A manifest that is not a JSON object is named as such."""
    (bundle_path / MANIFEST_NAME).write_text(text)
    with pytest.raises(BundleError, match=r"not JSON|not a JSON object"):
        open_bundle(bundle_path)


def test_every_missing_field_is_named(bundle_path: Path) -> None:
    """A manifest without required fields names them instead of failing with a KeyError."""
    (bundle_path / MANIFEST_NAME).write_text('{"format_version": 3}')
    with pytest.raises(BundleError, match=r"without kind, programme, .*task, files, layout"):
        open_bundle(bundle_path)


@pytest.mark.parametrize("damage", ["remove", "truncate", "flip"])
def test_damaged_files_are_refused(bundle_path: Path, tmp_path: Path, damage: str) -> None:
    """Any file that is missing, shorter or changed in one bit is found when the bundle is opened, by its name."""
    names = sorted(path.name for path in bundle_path.glob("*.npy"))
    assert len(names) > 20
    for number, name in enumerate(names):
        copy = tmp_path / f"copy-{number}"
        shutil.copytree(bundle_path, copy)
        content = bytearray((copy / name).read_bytes())
        if damage == "remove":
            (copy / name).unlink()
        elif damage == "truncate":
            os.truncate(copy / name, len(content) - 1)
        else:
            content[-1] ^= 1
            (copy / name).write_bytes(content)
        with pytest.raises(BundleError, match=rf"(damaged|half-written).*{name}"):
            open_bundle(copy)


def test_without_verification_sizes_are_still_checked(bundle_path: Path) -> None:
    """Skipping checksums still finds a truncated file."""
    file = bundle_path / "popular_scores.npy"
    os.truncate(file, file.stat().st_size - 4)
    with pytest.raises(BundleError, match="damaged"):
        open_bundle(bundle_path, verify=False)


def _mix(tmp_path: Path, name: str, first: OfferModel, second: OfferModel) -> Path:
    """Put one array of the second model, undamaged and listed, into the bundle of the first."""
    ours, theirs = write(tmp_path / "ours", first), write(tmp_path / "theirs", second)
    shutil.copy(theirs / name, ours / name)
    files = json.loads((ours / MANIFEST_NAME).read_text())["files"]
    files[name] = json.loads((theirs / MANIFEST_NAME).read_text())["files"][name]
    edit_manifest(ours, files=files)
    return ours


def test_parts_of_two_bundles_do_not_fit(tmp_path: Path) -> None:
    """Arrays of another model, though undamaged themselves, are refused because their shapes disagree."""
    few, many = bare_model(["a"], ["x", "y"]), bare_model(["a"], ["x", "y", "z"])
    mixed = _mix(tmp_path, "popular_scores.npy", few, many)
    with pytest.raises(BundleError, match=r"popular_scores is float32\[3\], expected float32\[2\]"):
        open_bundle(mixed)


def test_scorer_of_another_bundle_does_not_fit(tmp_path: Path) -> None:
    """A scorer whose arrays do not fit the history is found when the bundle is opened, not at a member's request."""

    def factors(offers: int) -> OfferModel:
        ones = np.ones((offers, 2), dtype=np.float32)
        return small_model(Factors(ones, ones[:, 0], member_factors=np.ones((3, 2), dtype=np.float32)))

    mixed = _mix(tmp_path, "scorer.offer_factors.npy", factors(4), factors(3))
    with pytest.raises(BundleError, match="does not fit: its scorer"):
        open_bundle(mixed)


def test_offer_model_checks_itself() -> None:
    """A recommender that hands over parts that do not fit fails at once, with the reason."""
    model = small_model(SCORERS["popular"])
    with pytest.raises(ValueError, match="ascending"):
        Ids.of(["b", "a"])
    with pytest.raises(ValueError, match="without repeats"):
        Ids.of(["a", "a"])
    with pytest.raises(BundleError, match=r"popular_scores is float32\[2\]"):
        replace(model, popular_scores=np.ones(2, dtype=np.float32))
    with pytest.raises(BundleError, match="popular_scores is float64"):
        replace(model, popular_scores=np.ones(4))  # type: ignore[arg-type]  # the point
    with pytest.raises(BundleError, match="indptr does not span"):
        replace(model, history=replace(model.history, indptr=np.array([0, 1, 1, 2])))
    with pytest.raises(BundleError, match="numbers of products or offers differ"):
        replace(model, covers=Covers(3, COVERS.indptr, COVERS.indices))
    with pytest.raises(BundleError, match="nothing that maps them"):
        replace(model, covers=Covers(4))
    with pytest.raises(BundleError, match="2 lines for 5 products"):
        replace(model, covers=replace(COVERS, lines=np.array([0, 1], dtype=np.int32)))


@pytest.mark.parametrize(
    ("part", "value", "message"),
    [
        (
            "popular_scores",
            np.array([1, np.nan, 0, 0], dtype=np.float32),
            "popular_scores that is not finite",
        ),
        (
            "covers",
            replace(COVERS, indices=np.array([0, 0, 1, 2, 9], dtype=np.int32)),
            "covers points beyond 4",
        ),
        ("scorer", Popular(np.array([1, 2, np.inf, 0], dtype=np.float32)), "no finite score"),
    ],
)
def test_values_are_checked_when_opened(tmp_path: Path, part: str, value: object, message: str) -> None:
    """Numbers that are not finite and indices that point outside keep a bundle from being served."""
    broken = replace(small_model(SCORERS["popular"]), **{part: value})  # type: ignore[arg-type]  # one of several
    with pytest.raises(BundleError, match=message):
        open_bundle(write(tmp_path / "b", broken))


def test_model_without_members_or_offers(tmp_path: Path) -> None:
    """An empty model is a valid bundle: everybody is unknown."""
    bundle = open_bundle(write(tmp_path / "empty", bare_model([], [])))
    assert isinstance(bundle, Bundle)
    assert bundle.model.member_ids.index("a") is None
    assert bundle.model.popular_scores.shape == bundle.model.all_scores(None).shape == (0,)
