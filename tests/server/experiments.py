"""Experiments as messages, and the calls that keep them."""

from typing import Any

from tests.server.running import RPC_TIMEOUT_S, Running
from troth.v1 import experiment_pb2, metric_pb2
from troth.v1 import experiment_service_pb2 as pb


def experiment(experiment_id: str, **fields: Any) -> experiment_pb2.Experiment:
    """Return a sound experiment with two arms at placement ``home``, with changes to its fields."""
    plain: dict[str, Any] = {
        "hypothesis": "It helps.",
        "owner": "crm@example.org",
        "placements": ["home"],
        "variants": [
            experiment_pb2.ExperimentVariant(variant_id="control"),
            experiment_pb2.ExperimentVariant(variant_id="treatment"),
        ],
        "metrics": [
            metric_pb2.Metric(
                metric_id="purchases",
                kind=metric_pb2.METRIC_KIND_COUNT,
                numerator=metric_pb2.MetricSource(
                    event=metric_pb2.EVENT_KIND_OUTCOMES, outcome_type="purchase"
                ),
            )
        ],
    }
    return experiment_pb2.Experiment(experiment_id=experiment_id, **(plain | fields))


class Experiments:
    """Keeps experiments on a server, as ``tester``."""

    def __init__(self, server: Running) -> None:
        self._stub = server.experiments

    def create(self, wanted: experiment_pb2.Experiment, **fields: Any) -> Any:
        """Create a draft and return it."""
        request = pb.CreateExperimentRequest(experiment=wanted, **({"actor": "tester"} | fields))
        return self._stub.CreateExperiment(request, timeout=RPC_TIMEOUT_S).experiment

    def update(self, experiment_id: str, *paths: str, etag: str = "", **fields: Any) -> Any:
        """Change fields and return the experiment."""
        request = pb.UpdateExperimentRequest(
            experiment=experiment_pb2.Experiment(experiment_id=experiment_id, **fields),
            actor="tester",
            etag=etag,
        )
        request.update_mask.paths.extend(paths)
        return self._stub.UpdateExperiment(request, timeout=RPC_TIMEOUT_S).experiment

    def start(self, experiment_id: str) -> Any:
        """Start a draft and return it."""
        request = pb.StartExperimentRequest(experiment_id=experiment_id, actor="tester")
        return self._stub.StartExperiment(request, timeout=RPC_TIMEOUT_S).experiment

    def running(self, experiment_id: str, **fields: Any) -> Any:
        """Create an experiment, start it and return it."""
        self.create(experiment(experiment_id, **fields))
        return self.start(experiment_id)

    def stop(self, experiment_id: str) -> Any:
        """Stop an experiment and return it."""
        request = pb.StopExperimentRequest(experiment_id=experiment_id, actor="tester")
        return self._stub.StopExperiment(request, timeout=RPC_TIMEOUT_S).experiment

    def archive(self, experiment_id: str) -> Any:
        """Archive an experiment and return it."""
        request = pb.ArchiveExperimentRequest(experiment_id=experiment_id, actor="tester")
        return self._stub.ArchiveExperiment(request, timeout=RPC_TIMEOUT_S).experiment

    def get(self, experiment_id: str) -> Any:
        """Return an experiment."""
        request = pb.GetExperimentRequest(experiment_id=experiment_id)
        return self._stub.GetExperiment(request, timeout=RPC_TIMEOUT_S).experiment

    def changes(self, experiment_id: str) -> list[Any]:
        """Return the audit trail of an experiment."""
        request = pb.ListExperimentChangesRequest(experiment_id=experiment_id, page_size=100)
        return list(self._stub.ListExperimentChanges(request, timeout=RPC_TIMEOUT_S).changes)
