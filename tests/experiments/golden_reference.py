"""An independent implementation of assignment, from the public specifications alone.

It imports nothing of the product, so that the golden vectors prove the product's code instead of repeating it. XXH64 is
written from https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md.

Run ``python -m tests.experiments.golden_reference`` to write the vectors again after adding inputs to ``golden_inputs``. Vectors
that are there already must never change.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.experiments.golden_inputs import ANSWERED, COMPOSITE_IDS, EXPERIMENTS, SALTS, UNIT_IDS

GOLDEN = Path(__file__).parents[2] / "experiments" / "assignment" / "golden" / "assignment_v1.json"

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


def reference_answer(  # noqa: C901, PLR0911 - one return for each reason
    experiment: dict[str, Any], unit: dict[str, Any]
) -> tuple[str | None, str]:
    """Return the variant and the reason, straight from the order in which the rules are asked.

    Targeting knows one form here, ``name == "text"``.
    """
    programme, salt, unit_id = experiment["programme"], experiment["salt"], unit["unit_id"]
    weights = {variant["variant_id"]: variant["weight"] for variant in experiment["variants"]}

    def bucket(purpose: str, salt: str) -> int:
        return reference_bucket(["troth-1", purpose, programme, salt, unit_id])

    if unit_id in experiment["overrides"]:
        return experiment["overrides"][unit_id], "OVERRIDDEN"
    if bucket("holdout", experiment["holdout"]["holdout_id"]) < experiment["holdout"]["traffic_ppm"]:
        return None, "HELD_OUT"
    slot = (
        reference_point(["troth-1", "layer", programme, experiment["layer"]["layer_id"], unit_id]) * 1000
        >> 64
    )
    lent = [[int(end) for end in slots.split("-")] for slots in experiment["layer"]["slots"]]
    if not any(ends[0] <= slot <= ends[-1] for ends in lent):
        return None, "NOT_IN_SLOT"
    earlier = unit["earlier_variant_id"]
    if experiment["sticky"] and weights.get(earlier, 0) > 0:
        return earlier, "STICKY"
    name, text = experiment["targeting"].split(" == ")
    if name not in unit["attributes"]:
        return None, "TARGETING_ERROR"
    if unit["attributes"][name] != json.loads(text):
        return None, "NOT_TARGETED"
    if bucket("enrolment", salt) >= experiment["traffic_ppm"]:
        return None, "NOT_ENROLLED"
    if bucket("uniform", salt) < experiment["allocation"]["uniform_ppm"]:
        weights = {variant_id: int(weight > 0) for variant_id, weight in weights.items()}
    running, point = 0, bucket("arm", salt)
    for variant_id, weight in weights.items():
        running += weight
        if point < running * 1_000_000 // sum(weights.values()):
            return variant_id, "ASSIGNED"
    raise AssertionError(point)


def build_golden() -> dict[str, Any]:
    """Return the content of the golden file."""
    points = [
        *_points(("enrolment", "arm"), UNIT_IDS),
        *_points(("holdout", "layer", "uniform"), [*UNIT_IDS, *COMPOSITE_IDS]),
        *_points(("enrolment", "arm"), COMPOSITE_IDS),
    ]
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
        "about_answers": (
            "All rules in their order; the first that applies gives the reason. OVERRIDDEN: the unit stands in"
            " overrides. HELD_OUT: its holdout bucket is below the holdout's traffic_ppm. NOT_IN_SLOT: its slot, layer"
            " point * 1000 >> 64, is not lent. STICKY: a sticky experiment and the earlier variant has a weight above 0."
            " TARGETING_ERROR and NOT_TARGETED: the rule errs or says no. NOT_ENROLLED: as above. ASSIGNED: as above,"
            " but if the uniform bucket is below uniform_ppm, every weight above 0 counts as 1. Purposes are holdout,"
            " layer, enrolment, uniform and arm; the salt of holdout is the holdout_id, that of layer the layer_id."
        ),
        "answers": [
            {"experiment": experiment, "units": [_answered(experiment, unit) for unit in _asked()]}
            for experiment in ANSWERED
        ],
    }


def _points(purposes: tuple[str, ...], unit_ids: list[str]) -> Iterator[dict[str, Any]]:
    for purpose in purposes:
        for programme, salt in SALTS:
            for unit_id in unit_ids:
                parts = ["troth-1", purpose, programme, salt, unit_id]
                yield {
                    "parts": parts,
                    "point": f"{reference_point(parts):016x}",
                    "bucket": reference_bucket(parts),
                }


def _asked() -> Iterator[dict[str, Any]]:
    tiers: list[dict[str, Any]] = [
        {"tier": "gold"},
        {"tier": "gold"},
        {"tier": "silver"},
        {"tier": "gold"},
        {},
    ]
    earlier = [None, None, None, None, None, "a", "closed", "gone"]
    unit_ids = [*UNIT_IDS, *COMPOSITE_IDS, *(f"household-{number}" for number in range(150))]
    for number, unit_id in enumerate(unit_ids):
        yield {
            "unit_id": unit_id,
            "attributes": tiers[number % len(tiers)],
            "earlier_variant_id": earlier[number % len(earlier)],
        }


def _answered(experiment: dict[str, Any], unit: dict[str, Any]) -> dict[str, Any]:
    variant_id, reason = reference_answer(experiment, unit)
    return {**unit, "variant_id": variant_id, "reason": reason}


def rendered_golden() -> str:
    """Return the text of the golden file: one vector a line, so that differences can be read."""
    golden = build_golden()
    points = ",\n".join("    " + json.dumps(vector) for vector in golden["points"])
    return (
        f'{{\n  "about": {json.dumps(golden["about"])},\n  "points": [\n{points}\n  ],\n'
        f'  "assignments": [\n{_rendered_groups(golden["assignments"])}\n  ],\n'
        f'  "about_answers": {json.dumps(golden["about_answers"])},\n'
        f'  "answers": [\n{_rendered_groups(golden["answers"])}\n  ]\n}}\n'
    )


def _rendered_groups(listed: list[dict[str, Any]]) -> str:
    groups = []
    for group in listed:
        units = ",\n".join("        " + json.dumps(unit) for unit in group["units"])
        experiment = json.dumps(group["experiment"])
        groups.append(
            f'    {{\n      "experiment": {experiment},\n      "units": [\n{units}\n      ]\n    }}'
        )
    return ",\n".join(groups)


if __name__ == "__main__":
    GOLDEN.write_text(rendered_golden(), encoding="ascii")
