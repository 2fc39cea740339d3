"""What it takes for an action model to become champion: its bundle works, and its trial can be trusted."""

import tempfile
from pathlib import Path

import numpy as np

from training.bundle import BundleError, open_action_bundle
from training.errors import RegistryError
from training.promotion_checks import CheckError
from training.promotion_rules import Judgement, refusal
from training.tracking import ModelRegistry, RegisteredVersion
from training.tracking.registry import DISTRUST_TAG, TRUSTED


def check_actions(path: Path) -> None:
    """Open a bundle, checksums included, and ask for the effects on somebody of whom nothing is known.

    Raises:
        CheckError: It does not open, or an effect is not finite.
    """
    try:
        model = open_action_bundle(path).model
    except BundleError as error:
        raise CheckError(error.message.replace(f"bundle {path}", "bundle").rstrip(".")) from error
    if not np.isfinite(model.effects({})).all():
        raise CheckError("An effect on somebody unknown is not finite")


def judge_action_model(registry: ModelRegistry, candidate: RegisteredVersion) -> Judgement:
    """Judge a version by its bundle and by the checks of its trial.

    Effects are calibrated on members that their model did not see, so that no model is worse than the averages of its own trial; whether
    another trial still holds is for people to say, by naming its version.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="troth-") as temporary:
            check_actions(registry.bundle(candidate, Path(temporary)))
    except (CheckError, RegistryError) as error:
        why = str(error).rstrip(".")
        return Judgement(False, refusal(candidate.model, why[:1].lower() + why[1:]))
    distrust = candidate.tags.get(DISTRUST_TAG, "")
    if distrust != TRUSTED:
        why = distrust.rstrip(".") or "whether its trial can be trusted was not kept: train again"
        return Judgement(False, refusal(candidate.model, why[:1].lower() + why[1:]))
    return Judgement(True, "its bundle works and its trial passed all checks")
