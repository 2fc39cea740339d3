"""The peers' side of ``bench.assignment``; runs in their environment and imports nothing of ours.

Reads a job's name a line, does it once, and answers with decisions per second of the
processor.
"""

import collections
import collections.abc
import sys
import time
from collections.abc import Callable
from typing import Any

UNITS = 4_000
TOGETHER = 20
ATTRIBUTES = {"tier": "gold", "age": 40}
CONDITION = {"tier": "gold", "age": {"$gte": 18}}


def growthbook_jobs() -> dict[str, Callable[[], int]]:
    """Return GrowthBook's jobs; each gives how many decisions it took."""
    from growthbook import Experiment, GrowthBook

    def rule(key: str) -> dict[str, Any]:
        return {"key": key, "variations": ["control", "treatment"], "hashVersion": 2, "condition": CONDITION}

    features = {
        f"offer-{number}": {"defaultValue": "control", "rules": [rule(f"offer-{number}")]}
        for number in range(TOGETHER)
    }
    reused = GrowthBook(attributes={}, features=features)
    experiment = Experiment(key="offer-0", variations=["control", "treatment"], hashVersion=2)

    def eval_feature() -> int:
        for number in range(UNITS):
            reused.set_attributes({"id": f"member-{number}", **ATTRIBUTES})
            assert reused.eval_feature("offer-0").source == "experiment"
        return UNITS

    def run() -> int:
        for number in range(UNITS):
            reused.set_attributes({"id": f"member-{number}"})
            assert reused.run(experiment).inExperiment
        return UNITS

    def together() -> int:
        for number in range(UNITS // TOGETHER):
            reused.set_attributes({"id": f"member-{number}", **ATTRIBUTES})
            for key in features:
                assert reused.eval_feature(key).source == "experiment"
        return UNITS // TOGETHER

    return {"growthbook eval_feature": eval_feature, "growthbook run": run, "growthbook 20": together}


def planout_jobs() -> dict[str, Callable[[], int]]:
    """Return PlanOut's jobs. Its last version asks for names that Python 3.10 moved."""
    collections.MutableMapping = collections.abc.MutableMapping  # type: ignore[attr-defined] # the shim
    from planout.experiment import SimpleExperiment
    from planout.ops.random import WeightedChoice

    class Offer(SimpleExperiment):  # type: ignore[misc] # untyped
        def setup(self) -> None:
            self.name = "offer"
            self.set_auto_exposure_logging(False)

        def assign(self, params: Any, member: str) -> None:
            params.variant = WeightedChoice(choices=["control", "treatment"], weights=[1, 1], unit=member)

        def configure_logger(self) -> None:
            """Write no file."""

        def log(self, data: Any) -> None:
            """Write no file."""

        def checksum(self) -> None:
            """Do not read this source file again for every unit; 70 times as fast without."""

    def simple() -> int:
        for number in range(UNITS):
            assert Offer(member=f"member-{number}").get("variant") in {"control", "treatment"}
        return UNITS

    return {"planout": simple}


def main() -> None:
    """Serve jobs until the input ends."""
    jobs = growthbook_jobs() | planout_jobs()
    for line in sys.stdin:
        job = jobs[line.strip()]
        begin = time.process_time()
        count = job()
        print(count / (time.process_time() - begin), flush=True)


if __name__ == "__main__":
    main()
