import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.assignment.hashing import Purpose, bucket, lowest_point, netstring, point
from experiments.definition.fields import share_bounds
from tests.experiments.golden_reference import (
    GOLDEN,
    reference_bucket,
    reference_point,
    rendered_golden,
    xxh64,
)

PRIME32 = 2654435761


def sanity_buffer(length: int) -> bytes:
    """Return the buffer that xxHash's own vectors are taken over (tests/sanity_test.c)."""
    generator, buffer = PRIME32, bytearray()
    for _ in range(length):
        buffer.append(generator >> 56)
        generator = generator * 11400714785074694797 & (1 << 64) - 1
    return bytes(buffer)


@pytest.mark.parametrize(
    ("length", "seed", "expected"),
    [
        (0, 0, 0xEF46DB3751D8E999),
        (0, PRIME32, 0xAC75FDA2929B17EF),
        (1, 0, 0xE934A84ADB052768),
        (1, PRIME32, 0x5014607643A9B4C3),
        (4, 0, 0x9136A0DCA57457EE),
        (8, 0, 0xCDBCF538E71D1348),
        (14, 0, 0x8282DCC4994E35C8),
        (14, PRIME32, 0xC3BD6BF63DEB6DF0),
        (32, 0, 0x18B216492BB44B70),
        (33, 0, 0x55C8DC3E578F5B59),
        (222, 0, 0xB641AE8CB691C174),
        (222, PRIME32, 0x20CB8AB7AE10C14A),
    ],
)
def test_reference_is_xxh64(length: int, seed: int, expected: int) -> None:
    """The reference implementation gives the official vectors (xxHash 0.8, tests/sanity_test_vectors.h)."""
    assert xxh64(sanity_buffer(length), seed) == expected


def test_golden_file_is_what_the_reference_says() -> None:
    """The golden vectors come from the independent implementation, not from ours."""
    assert GOLDEN.read_text(encoding="ascii") == rendered_golden()


def test_vectors_of_the_first_day_are_still_there() -> None:
    """What was in the file when it was frozen is in it now, bit for bit; new vectors only follow."""
    golden = json.loads(GOLDEN.read_text(encoding="ascii"))
    first = json.dumps([golden["points"][:380], golden["assignments"][:4]])

    assert (
        hashlib.sha256(first.encode()).hexdigest()
        == "ffe82f61aafa28a19fb70780baab1ee3415f445706c4a445c7c466321e3cde97"
    )


def test_points_equal_the_golden_vectors() -> None:
    """Our points and buckets are those of the frozen file."""
    vectors = json.loads(GOLDEN.read_text(encoding="ascii"))["points"]

    assert len(vectors) > 1_300
    assert {vector["parts"][1] for vector in vectors} == set(Purpose) - {Purpose.LENDING}
    for vector in vectors:
        scheme, purpose, programme, salt, unit_id = vector["parts"]
        ours = point(Purpose(purpose), programme, salt, unit_id)
        assert scheme == "troth-1"
        assert f"{ours:016x}" == vector["point"]
        assert bucket(ours) == vector["bucket"]


def test_three_vectors_stand_here_for_ever() -> None:
    """A change of the file and of both implementations at once is noticed too."""
    assert point(Purpose.ARM, "default", "offer-ranking", "member-1") == 0xF02923BE23D3D1C4
    assert point(Purpose.ARM, "default", "offer-ranking", "会员一号") == 0xE2ED7102BA0BE73F
    assert point(Purpose.ENROLMENT, "default", "offer-ranking", "") == 0x422B85D31DF558B6


@given(st.text(max_size=80), st.text(max_size=20), st.text(max_size=20))
def test_any_text_hashes_as_in_the_reference(unit_id: str, programme: str, salt: str) -> None:
    """Points agree with the reference for any Unicode text."""
    parts = ["troth-1", "arm", programme, salt, unit_id]

    assert point(Purpose.ARM, programme, salt, unit_id) == reference_point(parts)
    assert bucket(point(Purpose.ARM, programme, salt, unit_id)) == reference_bucket(parts)


@given(st.lists(st.text(max_size=5), max_size=4), st.lists(st.text(max_size=5), max_size=4))
def test_different_parts_have_different_bytes(left: list[str], right: list[str]) -> None:
    """No separator inside an id can make two lists of parts look alike."""
    same = b"".join(map(netstring, left)) == b"".join(map(netstring, right))

    assert same == (left == right)


@given(st.integers(0, 1_000_000), st.integers(0, 2**64 - 1), st.integers(-2, 2))
def test_bounds_as_points_say_the_same_as_buckets(ppm: int, random_point: int, step: int) -> None:
    """Comparing points with precomputed bounds is comparing buckets with parts per million, at the edges too."""
    edge = min(max(lowest_point(ppm) + step, 0), 2**64 - 1)

    for one in (random_point, edge):
        assert (one < lowest_point(ppm)) == (bucket(one) < ppm)


@given(st.lists(st.integers(1, 1_000_000), min_size=1, max_size=20))
def test_shares_cover_everything_in_order(weights: list[int]) -> None:
    """Ranges are adjacent, end at one million and are within one millionth of their weights."""
    bounds = share_bounds(tuple(weights))

    assert bounds[-1] == 1_000_000
    assert list(bounds) == sorted(bounds)
    for lower, upper, weight in zip((0, *bounds), bounds, weights, strict=False):
        assert abs((upper - lower) - weight / sum(weights) * 1_000_000) < 1


def test_lone_surrogates_are_refused() -> None:
    """An id without a UTF-8 form is an error, not a silent replacement."""
    with pytest.raises(UnicodeEncodeError):
        netstring("\ud800")
