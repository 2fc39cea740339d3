"""GetExperimentResults: the analysis of the server's own log, as the command line gives it, typed."""

import json
import random
import sqlite3
import threading
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import closing
from types import SimpleNamespace
from typing import Any

import grpc
import pytest
from google.protobuf import json_format

from experiments import analysis
from experiments.analysis import analyze_log
from experiments.definition import parse_experiment
from experiments.log.frames import read_log
from server.api.checks import Checker
from server.api.definition import definition_fields
from server.handlers import results
from tests.server.experiments import Experiments
from tests.server.running import RPC_TIMEOUT_S, Running, refusal, refusal_of, running
from tests.server.scene import write_scene
from troth.v1 import experiment_pb2, experiment_results_pb2, metric_pb2
from troth.v1 import experiment_service_pb2 as pb
from troth.v1.outcome_service_pb2 import Exposure, LogExposuresRequest, LogOutcomesRequest, Outcome

MEMBERS = 600


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server with a log of one experiment, kept over gRPC, with a clear effect."""
    with running(write_scene(tmp_path_factory.mktemp("results") / "scene", with_model=False)) as started:
        guardrail = metric_pb2.Metric(
            metric_id="returns",
            role=metric_pb2.METRIC_ROLE_GUARDRAIL,
            kind=metric_pb2.METRIC_KIND_COUNT,
            direction=metric_pb2.DIRECTION_DECREASE,
            margin=metric_pb2.MetricMargin(absolute=0.5),
            numerator=metric_pb2.MetricSource(event=metric_pb2.EVENT_KIND_OUTCOMES, outcome_type="return"),
        )
        keep = Experiments(started)
        metric = keep.running("measured", attribution=experiment_pb2.ATTRIBUTION_DECISION).metrics[0]
        keep.update("measured", "metrics", "revision", metrics=[metric, guardrail], revision=2)
        log(started, "measured", "m", MEMBERS)
        yield started


def log(server: Running, experiment_id: str, prefix: str, members: int) -> None:
    """Log exposures and outcomes of members by their assignments; the treatment buys more."""
    chance = random.Random(1)
    exposures, outcomes = [], []
    for number in range(members):
        member = f"{prefix}{number}"
        request = pb.GetAssignmentsRequest(member_id=member, experiment_ids=[experiment_id])
        variant = server.get_assignments(request).assignments[0].variant_id
        exposures.append(
            Exposure(
                event_id=f"x{member}",
                experiment_id=experiment_id,
                variant_id=variant,
                member_id=member,
                decision_id=f"d{member}",
            )
        )
        outcomes += [
            Outcome(
                event_id=f"o{member}-{event}",
                member_id=member,
                outcome_type="purchase",
                decision_id=f"d{member}",
                offer_id=f"offer {event}",
            )
            for event in range(chance.randrange(3) + (variant == "treatment"))
        ]
    server.log_exposures(LogExposuresRequest(exposures=exposures))
    server.log_outcomes(LogOutcomesRequest(outcomes=outcomes[:1000]))
    server.log_outcomes(LogOutcomesRequest(outcomes=outcomes[1000:] or outcomes[:1]))


def analysed(server: Running, experiment_id: str) -> Any:
    """Return the results of an experiment."""
    request = pb.GetExperimentResultsRequest(experiment_id=experiment_id)
    return server.experiments.GetExperimentResults(request, timeout=RPC_TIMEOUT_S * 3).results


def test_equals_the_analysis_of_the_log(live: Running) -> None:
    """Every figure, word and reason is that of the analysis of the same log; what does not exist is unset with its reason."""
    fields = definition_fields(Checker(), "experiment", Experiments(live).get("measured"))
    definition = parse_experiment({**fields, "state": "running"}, "measured")
    expected = analyze_log(definition, read_log(live.log_path)).to_json()
    found = analysed(live, "measured")

    assert dict(found.units) == expected["units"]
    assert sum(found.units.values()) == MEMBERS
    assert found.srm.p_value == expected["srm"]["p_value"]
    assert found.srm.always_valid_p == expected["srm"]["always_valid_p"]
    assert found.srm.alarm is expected["srm"]["alarm"]
    verdict = experiment_results_pb2.Verdict.Name(found.decision.verdict)
    assert verdict == f"VERDICT_{expected['decision']['verdict'].upper()}"
    assert found.decision.reason == expected["decision"]["reason"]
    assert (found.summary, found.alpha) == (expected["summary"], expected["alpha"])
    assert (found.experiment_id, found.programme, found.experiment_revision) == ("measured", "default", 2)
    assert len(found.results) == len(expected["results"]) == 2
    for told, one in zip(found.results, expected["results"], strict=True):
        assert metric_pb2.MetricRole.Name(told.role) == f"METRIC_ROLE_{one['role'].upper()}"
        assert dict(told.reasons) == {name: text for name, text in one["reasons"].items() if text is not None}
        assert list(told.ingredients) == one["ingredients"]
        for field in told.DESCRIPTOR.fields:
            if field.has_presence:
                assert field.name in one, "each figure of the message is one of the document"
                assert told.HasField(field.name) is (one[field.name] is not None), field.name
                assert one[field.name] is None or getattr(told, field.name) == one[field.name]
    assert found.results[0].ci_lower > 0
    assert "NaN" not in json.dumps(json_format.MessageToDict(found))


def test_fields_that_the_issue_names_are_there(live: Running) -> None:
    """The message has every field of the agreed JSON shape."""
    figures = {
        *("metric_id", "role", "variant_id", "control_id", "control_mean", "treatment_mean", "estimate"),
        *("standard_error", "ci_lower", "ci_upper", "relative_estimate", "relative_ci_lower"),
        *(
            "relative_ci_upper",
            "p_value",
            "adjusted_p_value",
            "always_valid_ci_lower",
            "always_valid_ci_upper",
        ),
        *(
            "method",
            "ingredients",
            "reasons",
            "always_valid_p_value",
            "adjusted_ci_lower",
            "adjusted_ci_upper",
        ),
    }

    assert figures <= set(experiment_results_pb2.MetricComparison.DESCRIPTOR.fields_by_name)


def test_verdicts_have_words() -> None:
    """Each verdict of the analysis has a value of the enum, and the other way round."""
    from experiments.analysis import Verdict

    names = {f"VERDICT_{one.value.upper()}" for one in Verdict}
    assert names | {"VERDICT_UNSPECIFIED"} == set(experiment_results_pb2.Verdict.keys())


def test_what_cannot_be_analysed(live: Running) -> None:
    """Without exposures there is nothing to say, and that is said; an unknown experiment is NOT_FOUND."""
    request = pb.GetExperimentResultsRequest(experiment_id="over")
    refused = refusal(live.experiments.GetExperimentResults, request)
    assert (refused.code, refused.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "ANALYSIS_IMPOSSIBLE")
    assert refused.metadata["experiment_id"] == "over"
    for unknown in (
        pb.GetExperimentResultsRequest(experiment_id="x"),
        pb.GetExperimentResultsRequest(experiment_id="x", programme="x"),
    ):
        assert refusal(live.experiments.GetExperimentResults, unknown).code is grpc.StatusCode.NOT_FOUND


def test_results_are_kept_until_the_log_grows(live: Running) -> None:
    """The same result is given again while the log hardly grows; then, and after a change, it is made anew."""
    keep = Experiments(live)
    keep.running("growing", attribution=experiment_pb2.ATTRIBUTION_DECISION)
    log(live, "growing", "g", 150)
    first = analysed(live, "growing")
    event = Exposure(event_id="one-more", experiment_id="growing", variant_id="control", member_id="one more")
    live.log_exposures(LogExposuresRequest(exposures=[event]))

    assert analysed(live, "growing") == first
    log(live, "growing", "h", 100)
    second = analysed(live, "growing")
    assert sum(second.units.values()) == sum(first.units.values()) + 101
    keep.update("growing", hypothesis="Another one.")
    assert analysed(live, "growing").analyze_time != second.analyze_time


def test_results_grow_old(live: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """After its time a result is made anew although nothing happened."""
    first = analysed(live, "measured")
    monkeypatch.setattr(results, "time", SimpleNamespace(monotonic=lambda: time.monotonic() + 61.0))

    assert analysed(live, "measured").analyze_time != first.analyze_time


def test_one_analysis_at_a_time(live: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls for one experiment share an analysis; when many wait, one more is told to come back; serving goes on."""
    go = threading.Event()
    runs = []

    def slow(*arguments: Any) -> Any:
        runs.append(arguments)
        assert go.wait(RPC_TIMEOUT_S * 2)
        return analyze_log(*arguments)

    monkeypatch.setattr(analysis, "analyze_log", slow)
    Experiments(live).update("measured", owner="many")
    with ThreadPoolExecutor(results.MAX_WAITING + 1) as pool:
        try:
            sent = {pool.submit(analysed, live, "measured") for _ in range(results.MAX_WAITING + 1)}
            (one_too_many,), waiting = wait(sent, RPC_TIMEOUT_S, FIRST_COMPLETED)
            refused = refusal_of(one_too_many.exception())
            assert (refused.code, refused.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "SERVER_BUSY")
            assert live.decide("m01", "home").decision_id
        finally:
            go.set()
        told = [one.result() for one in waiting]

    assert len(runs) == 1
    assert len(told) == results.MAX_WAITING
    assert all(one == told[0] for one in told)


def test_an_impatient_client(live: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """An analysis that outlasts the deadline says so and goes on; asked again, its result is there."""
    go = threading.Event()

    def slow(*arguments: Any) -> Any:
        assert go.wait(RPC_TIMEOUT_S * 2)
        return analyze_log(*arguments)

    keep = Experiments(live)
    keep.update("measured", owner="impatient")
    monkeypatch.setattr(analysis, "analyze_log", slow)
    request = pb.GetExperimentResultsRequest(experiment_id="measured")
    try:
        with pytest.raises(grpc.RpcError) as caught:
            live.experiments.GetExperimentResults(request, timeout=0.3)
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    finally:
        go.set()

    assert analysed(live, "measured").experiment_id == "measured"


def test_a_file_experiment_is_analysed_too(live: Running) -> None:
    """Experiments of files are analysed over the same log."""
    log(live, "offer-ranking", "f", 60)

    assert sum(analysed(live, "offer-ranking").units.values()) == 60


def test_asking_writes_nothing(live: Running) -> None:
    """Results are read only."""
    with closing(sqlite3.connect(live.log_path)) as connection:
        before = connection.execute("PRAGMA data_version").fetchone()
        analysed(live, "measured")
        assert connection.execute("PRAGMA data_version").fetchone() == before
