"""An independent implementation of assignment, from the public specifications alone.

It imports nothing of ours, so that the golden vectors prove the product's code instead of repeating it. XXH64 is
written from https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md.

Run ``python -m tests.experiments.golden_reference`` to write the vectors again after adding inputs below. Vectors
that are there already must never change.
"""

import json
from pathlib import Path
from typing import Any

GOLDEN = Path(__file__).parents[2] / "experiments" / "golden" / "assignment_v1.json"

_P1, _P2, _P3, _P4, _P5 = (
    0x9E3779B185EBCA87,
    0xC2B2AE3D27D4EB4F,
    0x165667B19E3779F9,
    0x85EBCA77C2B2AE63,
    0x27D4EB2F165667C5,
)
_MASK = (1 << 64) - 1


def _rotate(value: int, bits: int) -> int:
    return (value << bits | value >> (64 - bits)) & _MASK


def _round(accumulator: int, lane: int) -> int:
    return _rotate((accumulator + lane * _P2) & _MASK, 31) * _P1 & _MASK


def xxh64(data: bytes, seed: int = 0) -> int:
    """Return the XXH64 hash of the data."""
    rest = data
    if len(data) >= 32:
        lanes = [(seed + _P1 + _P2) & _MASK, (seed + _P2) & _MASK, seed, (seed - _P1) & _MASK]
        while len(rest) >= 32:
            lanes = [
                _round(lane, int.from_bytes(rest[8 * i : 8 * i + 8], "little"))
                for i, lane in enumerate(lanes)
            ]
            rest = rest[32:]
        result = sum(_rotate(lane, bits) for lane, bits in zip(lanes, (1, 7, 12, 18), strict=True)) & _MASK
        for lane in lanes:
            result = ((result ^ _round(0, lane)) * _P1 + _P4) & _MASK
    else:
        result = (seed + _P5) & _MASK
    result = (result + len(data)) & _MASK
    while len(rest) >= 8:
        result = (_rotate(result ^ _round(0, int.from_bytes(rest[:8], "little")), 27) * _P1 + _P4) & _MASK
        rest = rest[8:]
    if len(rest) >= 4:
        result = (_rotate(result ^ int.from_bytes(rest[:4], "little") * _P1 & _MASK, 23) * _P2 + _P3) & _MASK
        rest = rest[4:]
    for byte in rest:
        result = _rotate(result ^ byte * _P5 & _MASK, 11) * _P1 & _MASK
    result = (result ^ result >> 33) * _P2 & _MASK
    result = (result ^ result >> 29) * _P3 & _MASK
    return result ^ result >> 32


def reference_point(parts: list[str]) -> int:
    """Return the point of the parts: XXH64 over their netstrings."""
    data = b"".join(str(len(part.encode())).encode() + b":" + part.encode() + b"," for part in parts)
    return xxh64(data)


def reference_bucket(parts: list[str]) -> int:
    """Return the part per million that the point of the parts falls into."""
    return reference_point(parts) * 1_000_000 >> 64


def reference_variant(experiment: dict[str, Any], unit_id: str) -> str | None:
    """Return the variant of a unit, straight from the definition of ranges in parts per million."""
    programme, salt = experiment["programme"], experiment["salt"]
    if reference_bucket(["troth-1", "enrolment", programme, salt, unit_id]) >= experiment["traffic_ppm"]:
        return None
    bucket = reference_bucket(["troth-1", "arm", programme, salt, unit_id])
    total = sum(variant["weight"] for variant in experiment["variants"])
    running = 0
    for variant in experiment["variants"]:
        running += variant["weight"]
        if bucket < running * 1_000_000 // total:
            return str(variant["variant_id"])
    raise AssertionError(bucket)


UNIT_IDS = [
    "1",
    "01",
    "1.0",
    "-1",
    "0",
    "42",
    "18446744073709551616",
    "member-1",
    "Member-1",
    " member-1",
    "member-1 ",
    "",
    " ",
    "\t",
    "\n",
    "\u0000",
    "a:b",
    "a,b",
    "3:abc,",
    "0:,",
    ",",
    ":",
    "null",
    "true",
    "é",
    "e\u0301",
    "Ünïcödé",
    "会员一号",
    "участник",
    "عضو",
    "👩‍👩‍👧‍👦",
    "\ufeff1",
    "\U0010ffff",
    "550e8400-e29b-41d4-a716-446655440000",
    "x" * 31,
    "x" * 32,
    "x" * 1_000,
    "é" * 300,
]
SALTS = [
    ("default", "offer-ranking"),
    ("default", "offer-rankinh"),
    ("käfé", "offer-ranking"),
    ("a,1:b", "c"),
    ("a", "1:b,1:c"),
]
EXPERIMENTS: list[dict[str, Any]] = [
    {
        "programme": "default",
        "salt": "offer-ranking",
        "traffic_ppm": 1_000_000,
        "variants": [{"variant_id": "popular", "weight": 1}, {"variant_id": "personal", "weight": 1}],
    },
    {
        "programme": "default",
        "salt": "third",
        "traffic_ppm": 333_333,
        "variants": [
            {"variant_id": "a", "weight": 1},
            {"variant_id": "b", "weight": 1},
            {"variant_id": "c", "weight": 1},
        ],
    },
    {
        "programme": "käfé",
        "salt": "ungleich ,:",
        "traffic_ppm": 900_000,
        "variants": [
            {"variant_id": "control", "weight": 90},
            {"variant_id": "small", "weight": 3},
            {"variant_id": "rest", "weight": 7},
        ],
    },
    {
        "programme": "default",
        "salt": "nobody",
        "traffic_ppm": 0,
        "variants": [{"variant_id": "a", "weight": 1}, {"variant_id": "b", "weight": 1}],
    },
]


def build_golden() -> dict[str, Any]:
    """Return the content of the golden file."""
    points = []
    for purpose in ("enrolment", "arm"):
        for programme, salt in SALTS:
            for unit_id in UNIT_IDS:
                parts = ["troth-1", purpose, programme, salt, unit_id]
                points.append(
                    {
                        "parts": parts,
                        "point": f"{reference_point(parts):016x}",
                        "bucket": reference_bucket(parts),
                    }
                )
    return {
        "about": (
            "Golden vectors of Troth's assignment, version 1; they never change. A point is XXH64 (seed 0) over the"
            " netstrings of the parts, big-endian hexadecimal; bucket = point * 1000000 >> 64. A unit is enrolled if"
            " its enrolment bucket is below traffic_ppm; its variant is the first whose cumulative weight * 1000000"
            " // total weight is above its arm bucket. Text is UTF-8, without any normalisation."
        ),
        "points": points,
        "assignments": [
            {
                "experiment": experiment,
                "units": [
                    {"unit_id": unit_id, "variant_id": reference_variant(experiment, unit_id)}
                    for unit_id in [*UNIT_IDS, "x" * 10_000, *(f"household-{number}" for number in range(30))]
                ],
            }
            for experiment in EXPERIMENTS
        ],
    }


def rendered_golden() -> str:
    """Return the text of the golden file: one vector a line, so that differences can be read."""
    golden = build_golden()
    points = ",\n".join("    " + json.dumps(vector) for vector in golden["points"])
    groups = []
    for group in golden["assignments"]:
        units = ",\n".join("        " + json.dumps(unit) for unit in group["units"])
        experiment = json.dumps(group["experiment"])
        groups.append(
            f'    {{\n      "experiment": {experiment},\n      "units": [\n{units}\n      ]\n    }}'
        )
    return (
        f'{{\n  "about": {json.dumps(golden["about"])},\n  "points": [\n{points}\n  ],\n'
        f'  "assignments": [\n' + ",\n".join(groups) + "\n  ]\n}\n"
    )


if __name__ == "__main__":
    GOLDEN.write_text(rendered_golden(), encoding="ascii")
