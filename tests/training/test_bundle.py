import json
import os
import shutil
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.bundle import (
    MANIFEST_NAME,
    Bundle,
    BundleError,
    Factors,
    OfferModel,
    PersonalScores,
    open_bundle,
    write_bundle,
)

FEATURE_TIME = datetime(2017, 12, 4, 5, tzinfo=UTC)


def personal_model() -> OfferModel:
    """Three members, four offers; the second member has no entry at all."""
    return OfferModel(
        member_ids=("a", "b", "ü-member"),
        offer_ids=("o1", "o2", "o3", "ö4"),
        popular_scores=np.array([4, 3, 2, 1], dtype=np.float32),
        personal=PersonalScores(
            indptr=np.array([0, 2, 2, 3], dtype=np.int64),
            indices=np.array([0, 3, 1], dtype=np.int32),
            data=np.array([1.5, 2.5, 7.0], dtype=np.float32),
        ),
    )


def factor_model(members: int = 50, offers: int = 300, width: int = 16) -> OfferModel:
    """Random factors of a size where a matrix-matrix product rounds differently."""
    rng = np.random.default_rng(7)
    return OfferModel(
        member_ids=tuple(f"m{index:03d}" for index in range(members)),
        offer_ids=tuple(f"o{index}" for index in range(offers)),
        popular_scores=rng.random(offers, dtype=np.float32),
        factors=Factors(
            member_factors=rng.standard_normal((members, width), dtype=np.float32),
            offer_factors=rng.standard_normal((offers, width), dtype=np.float32),
            offer_biases=rng.standard_normal(offers, dtype=np.float32),
        ),
    )


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
    return write(tmp_path / "offers", personal_model())


def edit_manifest(path: Path, **changes: object) -> None:
    document = json.loads((path / MANIFEST_NAME).read_text())
    (path / MANIFEST_NAME).write_text(json.dumps(document | changes))


def test_round_trip_keeps_scores_ids_and_manifest(bundle_path: Path) -> None:
    """What was written is what is read: ids, every score, the cold path and where the model came from."""
    bundle = open_bundle(bundle_path)
    model = personal_model()
    assert bundle.offer_ids == model.offer_ids
    assert bundle.offer_index == {"o1": 0, "o2": 1, "o3": 2, "ö4": 3}
    assert bundle.popular_scores.tolist() == [4, 3, 2, 1]
    assert bundle.scores(0).tolist() == [1.5, 0, 0, 2.5]
    assert bundle.scores(1).tolist() == [0, 0, 0, 0]
    assert bundle.scores(2).tolist() == [0, 7, 0, 0]
    assert bundle.manifest.model_version == "decayed_frequency@0123456789ab"
    assert bundle.manifest.feature_time == "2017-12-04T05:00:00Z"
    assert bundle.manifest.feature_instant == FEATURE_TIME
    assert bundle.manifest.parameters == {"half_life_days": 84}
    assert bundle.manifest.scoring == "personal_scores"


def test_feature_time_is_stored_in_utc(tmp_path: Path) -> None:
    """An aware time in another zone is the same instant in the manifest; a naive one is refused."""
    eastern = timezone(timedelta(hours=-5))
    path = write(tmp_path / "a", personal_model(), feature_time=datetime(2017, 12, 4, tzinfo=eastern))
    assert open_bundle(path).manifest.feature_time == "2017-12-04T05:00:00Z"
    with pytest.raises(BundleError, match="no time zone"):
        write(tmp_path / "b", personal_model(), feature_time=datetime(2017, 12, 4))  # noqa: DTZ001  # the point


@pytest.mark.parametrize(
    "member_id", ["", "A", "aa", "ü", "ü-member\0", "x" * 10_000, "日本語", "\ud800", "\0"]
)
def test_unknown_member_is_none(bundle_path: Path, member_id: str) -> None:
    """An id that the model does not know is no error, whatever it looks like."""
    assert open_bundle(bundle_path).member_index(member_id) is None


@settings(max_examples=40, deadline=None)
@given(ids=st.sets(st.text(max_size=8), max_size=30), probe=st.text(max_size=8))
def test_any_id_is_found_again(tmp_path_factory: pytest.TempPathFactory, ids: set[str], probe: str) -> None:
    """Every UTF-8 id (empty, NULs, any script) is found at its own position, and no other id is."""
    members = tuple(sorted(ids))
    model = OfferModel(members, ("o",), np.ones(1, dtype=np.float32))
    bundle = open_bundle(write(tmp_path_factory.mktemp("ids") / "b", model))
    assert [bundle.member_index(member) for member in members] == list(range(len(members)))
    assert (bundle.member_index(probe) is not None) == (probe in ids)


def test_scores_have_the_same_bits_as_the_model_in_memory(tmp_path: Path) -> None:
    """Evaluation and serving share one kernel: the same bits for the model in memory, alone, and in a batch."""
    model = factor_model()
    bundle = open_bundle(write(tmp_path / "f", model))
    batch = [bundle.scores(index) for index in range(bundle.member_count)]
    for index, row in enumerate(batch):
        assert row.dtype == np.float32
        assert row.tobytes() == bundle.scores(index).tobytes() == model.scores(index).tobytes()
    expected = model.factors.member_factors @ model.factors.offer_factors.T + model.factors.offer_biases  # type: ignore[union-attr]  # set above
    np.testing.assert_allclose(np.array(batch), expected, rtol=1e-4, atol=1e-5)


def test_scores_are_new_arrays(bundle_path: Path, tmp_path: Path) -> None:
    """A caller may write into the scores without changing the bundle, for every kind of scoring."""
    popular = OfferModel(("a",), ("o1", "o2"), np.array([2, 1], dtype=np.float32))
    for path in (bundle_path, write(tmp_path / "p", popular), write(tmp_path / "f", factor_model())):
        bundle = open_bundle(path)
        before = bundle.scores(0).copy()
        bundle.scores(0)[:] = -1
        assert bundle.scores(0).tolist() == before.tolist()


@pytest.mark.parametrize("index", [-1, 3])
def test_member_index_out_of_range_is_refused(bundle_path: Path, index: int) -> None:
    """A negative index must not read another member from the end."""
    with pytest.raises(IndexError, match="member_index"):
        open_bundle(bundle_path).scores(index)


def test_arrays_are_memory_mapped_and_read_only(bundle_path: Path) -> None:
    """Workers share the pages of a bundle, so its arrays are maps that nobody can write to."""
    bundle = open_bundle(bundle_path)
    assert isinstance(bundle.popular_scores.base, np.memmap)
    with pytest.raises(ValueError, match="read-only"):
        bundle.popular_scores[0] = 1


def test_existing_bundle_is_not_overwritten(bundle_path: Path) -> None:
    """A served folder never changes under its readers."""
    with pytest.raises(BundleError, match="exists already"):
        write(bundle_path, personal_model())


def test_failed_write_leaves_nothing(tmp_path: Path) -> None:
    """A write that fails half-way leaves neither a bundle nor its temporary folder."""
    with pytest.raises(BundleError, match="cannot be written"):
        write(tmp_path / "b", personal_model(), metrics={"hits_per_trip": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_unwritable_place_is_one_sentence(tmp_path: Path) -> None:
    """A parent that is a file gives one clear sentence, not a traceback of the file system."""
    (tmp_path / "file").write_text("")
    with pytest.raises(BundleError, match="cannot be written"):
        write(tmp_path / "file" / "b", personal_model())


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
        ({"format_version": None}, "format version None"),
        ({"kind": "actions"}, "kind 'actions'"),
        ({"scoring": "magic"}, "'magic'"),
        ({"scoring": "factors"}, "does not list factors.member.npy"),
        ({"files": {}}, "does not list"),
        ({"files": []}, "no map of sha256"),
        ({"files": {"popular_scores.npy": 3}}, "no map of sha256"),
        ({"metrics": {"hits": "many"}}, "finite numbers"),
        ({"parameters": {"a": [1]}}, "plain values"),
        ({"model_version": 7}, "model_version is not a string"),
        ({"feature_time": "yesterday"}, "no RFC 3339 time"),
        ({"feature_time": "2017-12-04T05:00:00"}, "no RFC 3339 time"),
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
    """A manifest that is no JSON object is named as such."""
    (bundle_path / MANIFEST_NAME).write_text(text)
    with pytest.raises(BundleError, match=r"not JSON|not a JSON object"):
        open_bundle(bundle_path)


def test_every_missing_field_is_named(bundle_path: Path) -> None:
    """A manifest without required fields names them instead of failing with a KeyError."""
    (bundle_path / MANIFEST_NAME).write_text('{"format_version": 1}')
    with pytest.raises(BundleError, match=r"without kind, programme, .*files"):
        open_bundle(bundle_path)


def array_files() -> list[str]:
    return [
        "member_ids.bytes.npy",
        "member_ids.offsets.npy",
        "offer_ids.bytes.npy",
        "offer_ids.offsets.npy",
        "popular_scores.npy",
        "personal.indptr.npy",
        "personal.indices.npy",
        "personal.data.npy",
    ]


@pytest.mark.parametrize("name", array_files())
@pytest.mark.parametrize("damage", ["remove", "truncate", "flip"])
def test_damaged_files_are_refused(bundle_path: Path, name: str, damage: str) -> None:
    """A file that is missing, shorter or changed in one bit is found when the bundle is opened."""
    file = bundle_path / name
    content = bytearray(file.read_bytes())
    if damage == "remove":
        file.unlink()
    elif damage == "truncate":
        os.truncate(file, len(content) - 1)
    else:
        content[-1] ^= 1
        file.write_bytes(content)
    with pytest.raises(BundleError, match=name.replace(".", r"\.")):
        open_bundle(bundle_path)


def test_without_verification_sizes_are_still_checked(bundle_path: Path) -> None:
    """Skipping checksums still finds a truncated file."""
    file = bundle_path / "popular_scores.npy"
    os.truncate(file, file.stat().st_size - 4)
    with pytest.raises(BundleError, match="damaged"):
        open_bundle(bundle_path, verify=False)


def test_parts_of_two_bundles_do_not_fit(tmp_path: Path) -> None:
    """Arrays of another model, though undamaged themselves, are refused because their shapes disagree."""
    small, large = (
        write(tmp_path / "s", factor_model(offers=3)),
        write(tmp_path / "l", factor_model(offers=5)),
    )
    shutil.copy(large / "factors.offer.npy", small / "factors.offer.npy")
    files = json.loads((small / MANIFEST_NAME).read_text())["files"]
    files["factors.offer.npy"] = json.loads((large / MANIFEST_NAME).read_text())["files"]["factors.offer.npy"]
    edit_manifest(small, files=files)
    with pytest.raises(BundleError, match=r"offer_factors is float32\[5, 16\], expected float32\[3, 16\]"):
        open_bundle(small)


def test_offer_model_checks_itself() -> None:
    """A recommender that hands over parts that do not fit fails at once, with the reason."""
    ones = np.ones(2, dtype=np.float32)
    with pytest.raises(BundleError, match="ascending"):
        OfferModel(("b", "a"), ("x", "y"), ones)
    with pytest.raises(BundleError, match="unique"):
        OfferModel(("a",), ("x", "x"), ones)
    with pytest.raises(BundleError, match="popular_scores"):
        OfferModel(("a",), ("x",), ones)
    with pytest.raises(BundleError, match="not finite"):
        OfferModel(("a",), ("x", "y"), np.array([1, np.nan], dtype=np.float32))
    personal = PersonalScores(np.array([0, 1]), np.array([2], dtype=np.int32), np.ones(1, dtype=np.float32))
    with pytest.raises(BundleError, match="beyond its 2 offers"):
        OfferModel(("a",), ("x", "y"), ones, personal=personal)


def test_model_without_members_or_offers(tmp_path: Path) -> None:
    """An empty model is a valid bundle: everybody is unknown."""
    model = OfferModel((), (), np.zeros(0, dtype=np.float32))
    bundle = open_bundle(write(tmp_path / "empty", model))
    assert isinstance(bundle, Bundle)
    assert bundle.member_index("a") is None
    assert bundle.popular_scores.shape == (0,)
