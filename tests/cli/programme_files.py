"""A configuration with a small catalogue, beside whatever log a test writes."""

from pathlib import Path
from typing import Any

import yaml

CATALOGUE: dict[str, Any] = {
    "placements": [
        {"placement_id": "home", "attribution_window_days": 7},
        {"placement_id": "letter", "attribution_window_days": 30},
    ],
    "offers": [{"offer_id": "tea", "title": "Tea"}, {"offer_id": "jam", "title": "Jam"}],
    "standing_arms": {"period": "month", "traffic_ppm": {"random_eligible": 100_000, "holdout": 200_000}},
}


def write_programme(folder: Path, *programmes: str, **changes: Any) -> str:
    """Write ``troth.toml`` and the catalogue of each programme, whose log is ``log.db``; return its name."""
    sections = ['[store]\npath = "log.db"\n']
    for programme in programmes or ("default",):
        catalogue = CATALOGUE | {"programme": programme} | changes
        (folder / f"{programme}.yaml").write_text(yaml.safe_dump(catalogue), encoding="utf-8")
        sections.append(f'[programmes.{programme}]\ncatalogue = "{programme}.yaml"\n')
    (folder / "troth.toml").write_text("\n".join(sections), encoding="utf-8")
    return "troth.toml"
