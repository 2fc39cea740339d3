"""The conventions of a member table, as one YAML file may set them."""

from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from training.errors import TrainingError
from training.members.lifecycle import LifecycleRules
from training.members.tiers import TierRules


class MemberRules(BaseModel):
    """All conventions.

    Attributes:
        lifecycle: When which stage begins.
        tiers: How tiers work; without tiers the table has none.
        points_valid_days: How long points last where their table does not say; for ever if not given.
        margin_share: Part of spend that is margin, above 0 and at most 1: customer lifetime value counts it.
        yearly_discount: Rate at which later value counts less, at least 0.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    lifecycle: LifecycleRules = LifecycleRules()
    tiers: TierRules = TierRules()
    points_valid_days: int | None = Field(default=None, ge=1)
    margin_share: float = Field(default=1.0, gt=0, le=1)
    yearly_discount: float = Field(default=0.0, ge=0)


def read_rules(path: Path | None) -> MemberRules:
    """Return the rules of a YAML file; the defaults without one.

    Raises:
        TrainingError: The file cannot be read, or says something unknown or wrong; every problem is named with its place.
    """
    if path is None:
        return MemberRules()
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise TrainingError(f"{path} cannot be read: {' '.join(str(error).split())}.") from None
    try:
        return MemberRules.model_validate(found)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, one['loc'])) or 'the file'}: {one['msg'].removeprefix('Value error, ')}"
            for one in error.errors()
        )
        raise TrainingError(f"{path} has rules that cannot be used: {problems}.") from None
