"""Between messages and values: nothing is lost, and what a message cannot mean is refused with its path."""

import unicodedata
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.money_pb2 import Money
from hypothesis import example, given
from hypothesis import strategies as st

from experiments.assignment.plan import Assignment, AssignmentReason
from experiments.errors import Problem
from experiments.log.events import AssignedVariant, Decision, OfferChoice, OfferReason
from server.api import assignments as experiment_messages
from server.api import outcome as outcome_messages
from server.api import recommendation as recommendation_messages
from server.api.assignments import assignment_message, parameter_messages
from server.api.checks import Checker, required_fields
from server.catalogue import Money as CatalogueMoney
from server.decide.score import (
    CATALOGUE_ORDER,
    CHAMPION,
    MEMBER_UNKNOWN,
    MODEL_MISSING,
    POPULAR,
    TASK_EXHAUSTED,
)
from server.errors import InvalidRequestError
from server.handlers.assignments import Subject
from tests.server import scene
from training.bundle import ReasonCode
from troth.v1 import (
    assignment_pb2,
    decision_pb2,
    experiment_service_pb2,
    outcome_service_pb2,
    recommendation_service_pb2,
)

NOW = datetime(2017, 12, 5, 12, tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST = datetime(1, 1, 1, tzinfo=UTC)
LAST = datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
TIMES = st.integers(0, (LAST - FIRST) // timedelta(microseconds=1)).map(
    lambda micros: FIRST + timedelta(microseconds=micros)
)
TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=128)


def _stamp(time: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(time)
    return stamp


def _read(stamp: Timestamp) -> tuple[datetime | None, list[Problem]]:
    message = recommendation_service_pb2.RecommendOffersRequest(request_time=stamp)
    check = Checker()
    return check.time("here", message, "request_time"), check.problems


@given(TIMES)
@example(EPOCH)
def test_times_go_there_and_back(time: datetime) -> None:
    """Every time of the calendar survives to the microsecond in both directions, the epoch and before it too."""
    answer = recommendation_messages.offer_response(
        _decision(decide_time=time, feature_time=time), scene.CATALOGUE
    ).decision

    for stamp in (answer.decide_time, answer.feature_time):
        assert 0 <= stamp.nanos < 10**9
        assert _read(stamp) == (time, [])
        assert stamp == _stamp(time)
    assert answer.HasField("decide_time")
    assert answer.HasField("feature_time")


@given(st.integers(-62_135_596_800, 253_402_300_799), st.integers(0, 999_999_999))
def test_times_are_cut_to_the_microsecond(seconds: int, nanos: int) -> None:
    """What is finer than a microsecond is cut towards the past, never rounded into the future."""
    time, problems = _read(Timestamp(seconds=seconds, nanos=nanos))

    assert not problems
    assert time is not None
    assert (time - EPOCH) // timedelta(microseconds=1) == seconds * 1_000_000 + nanos // 1000


@given(st.integers(-(2**63), 2**63 - 1), st.integers(-(2**31), 2**31 - 1))
def test_any_timestamp_is_a_time_or_a_problem(seconds: int, nanos: int) -> None:
    """No timestamp that the wire can carry makes the converter fail; a wrong one is a problem at its path."""
    time, problems = _read(Timestamp(seconds=seconds, nanos=nanos))

    valid = -62_135_596_800 <= seconds <= 253_402_300_799 and 0 <= nanos <= 999_999_999
    assert (time is not None) is valid
    assert [problem.path for problem in problems] == ([] if valid else ["here"])


def test_unset_time_is_none() -> None:
    """A time that was not sent is none, and not the epoch; the epoch itself is a time."""
    check = Checker()
    message = recommendation_service_pb2.RecommendOffersRequest()

    assert check.time("here", message, "request_time") is None
    assert not check.problems
    assert _read(Timestamp()) == (EPOCH, [])


@given(st.decimals("-999999999", "999999999", places=9, allow_nan=False, allow_infinity=False))
def test_money_is_exact(amount: Decimal) -> None:
    """An amount of the catalogue becomes units and nanos of one sign that add up to exactly the amount."""
    message = recommendation_messages.money(CatalogueMoney(amount=amount, currency_code="USD"))

    assert Decimal(message.units) + Decimal(message.nanos).scaleb(-9) == amount
    assert abs(message.nanos) < 10**9
    assert message.units * message.nanos >= 0
    check = Checker()
    check.money("here", message)
    assert not check.problems


@given(st.integers(-(2**63), 2**63 - 1), st.integers(-(2**31), 2**31 - 1), st.text(max_size=4))
def test_any_money_is_an_amount_or_a_problem(units: int, nanos: int, currency_code: str) -> None:
    """Exactly the amounts that google.type.Money defines pass; the others are problems of their part."""
    check = Checker()
    check.money("here", Money(units=units, nanos=nanos, currency_code=currency_code))

    one_sign = units == 0 or nanos == 0 or (units > 0) == (nanos > 0)
    coded = len(currency_code) == 3 and all("A" <= letter <= "Z" for letter in currency_code)
    expected = ([] if coded else ["here.currency_code"]) + (
        [] if abs(nanos) < 10**9 and one_sign else ["here.nanos"]
    )
    assert [problem.path for problem in check.problems] == expected


@given(st.text(max_size=300))
def test_any_text_is_an_id_or_a_problem(text: str) -> None:
    """Exactly the texts without control characters and within the length pass; length counts characters."""
    for longest, rule in ((128, Checker.identifier), (256, Checker.member_id)):
        check = Checker()
        rule(check, "here", text)
        wrong = len(text) > longest or any(unicodedata.category(one) == "Cc" for one in text)
        assert bool(check.problems) is wrong


@given(TEXT, TEXT, TEXT, st.integers(0, 2**31 - 1), st.none() | TIMES)
def test_question_is_read_as_sent(
    member: str, placement: str, key: str, count: int, time: datetime | None
) -> None:
    """A sound question is read field by field; without a programme it is ``default``."""
    message = recommendation_service_pb2.RecommendOffersRequest(
        member_id=member,
        placement_id=placement,
        request_id=key,
        offer_count=count,
        basket_product_ids=[member, placement, member],
    )
    if time is not None:
        message.request_time.CopyFrom(_stamp(time))

    read = recommendation_messages.offer_request(message)

    assert (read.programme, read.member_id, read.placement_id) == ("default", member, placement)
    assert (read.request_id, read.offer_count, read.request_time) == (key, count, time)
    assert read.basket == (member, placement, member)


_MONEY = st.tuples(st.integers(0, 2**63 - 1), st.integers(0, 999_999_999), st.sampled_from((1, -1)))


@given(TEXT, TEXT, st.none() | _MONEY, st.booleans(), TIMES.filter(lambda time: time <= NOW))
def test_outcome_is_read_as_sent(
    event: str, member: str, money: tuple[int, int, int] | None, linked: bool, time: datetime
) -> None:
    """A sound outcome is read field by field; money keeps its sign in both parts."""
    message = outcome_service_pb2.Outcome(
        event_id=event,
        member_id=member,
        outcome_type="return",
        decision_id=event if linked else "",
        offer_id=member if linked else "",
        outcome_time=_stamp(time),
        product_ids=[member, event] if linked else [],
    )
    if money is not None:
        units, nanos, sign = money
        message.value.CopyFrom(Money(currency_code="CHF", units=sign * units, nanos=sign * nanos))

    programme, (read,) = outcome_messages.parse_outcomes(
        outcome_service_pb2.LogOutcomesRequest(outcomes=[message]), NOW
    )

    assert programme == read.programme == "default"
    assert (read.event_id, read.member_id, read.outcome_type) == (event, member, "return")
    assert (read.decision_id, read.offer_id) == ((event, member) if linked else ("", ""))
    assert (read.outcome_time, read.receive_time) == (time, NOW)
    assert read.product_ids == ((member, event) if linked else ())
    if money is None:
        assert (read.value_units, read.value_nanos, read.currency_code) == (None, None, "")
    else:
        assert read.value_units == money[2] * money[0]
        assert read.value_nanos == money[2] * money[1]
        assert read.currency_code == "CHF"


@given(TEXT, TEXT, TIMES.filter(lambda time: time <= NOW))
def test_exposure_is_read_as_sent(event: str, member: str, time: datetime) -> None:
    """A sound exposure is read field by field."""
    message = outcome_service_pb2.Exposure(
        event_id=event,
        experiment_id="e",
        variant_id="v",
        member_id=member,
        decision_id=member,
        expose_time=_stamp(time),
    )

    programme, (read,) = outcome_messages.parse_exposures(
        outcome_service_pb2.LogExposuresRequest(programme="p", exposures=[message]), NOW
    )

    assert programme == read.programme == "p"
    assert (read.event_id, read.experiment_id, read.variant_id) == (event, "e", "v")
    assert (read.member_id, read.decision_id) == (member, member)
    assert (read.expose_time, read.receive_time) == (time, NOW)


def _click_at(time: datetime) -> outcome_service_pb2.LogOutcomesRequest:
    message = outcome_service_pb2.Outcome(event_id="e", member_id="m", outcome_type="click")
    message.outcome_time.CopyFrom(_stamp(time))
    return outcome_service_pb2.LogOutcomesRequest(outcomes=[message])


def test_how_far_ahead_an_event_may_be() -> None:
    """Five minutes ahead is the last moment that is taken."""
    last = NOW + timedelta(minutes=5)

    assert outcome_messages.parse_outcomes(_click_at(last), NOW)[1][0].outcome_time == last
    with pytest.raises(InvalidRequestError) as caught:
        outcome_messages.parse_outcomes(_click_at(last + timedelta(microseconds=1)), NOW)
    assert [problem.path for problem in caught.value.problems] == ["outcomes[0].outcome_time"]


@given(
    st.dictionaries(
        st.text(min_size=1),
        st.text() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False),
    )
)
def test_parameters_keep_value_and_type(parameters: dict[str, Any]) -> None:
    """Parameters arrive with their types: truth is not a number, and 1.0 is not 1."""
    messages = parameter_messages(parameters)

    read = {name: getattr(one, str(one.WhichOneof("value"))) for name, one in messages.items()}
    assert read == parameters
    assert {name: type(value) for name, value in read.items()} == {
        name: type(value) for name, value in parameters.items()
    }


@pytest.mark.parametrize("reason", list(AssignmentReason))
def test_every_reason_crosses_the_wire(reason: AssignmentReason) -> None:
    """Each reason of the domain has a value of its own on the wire, never UNSPECIFIED."""
    message = assignment_message(Assignment("e", None, reason, "plan-1", 1, {}))

    assert assignment_pb2.AssignmentReason.Name(message.reason) == f"ASSIGNMENT_REASON_{reason}"
    assert message.variant_id == ""


def _decision(**changes: Any) -> Decision:
    plain: dict[str, Any] = {
        "programme": "p",
        "decision_id": "d",
        "request_id": "r",
        "request_digest": "x",
        "member_id": "m",
        "placement_id": "checkout",
        "requested_count": 2,
        "request_time": NOW - timedelta(days=1),
        "receive_time": NOW,
        "decide_time": NOW + timedelta(microseconds=1),
        "ranking": CHAMPION,
        "model_version": "m@1",
        "plan_revision": "plan-1",
        "catalogue_revision": "catalogue-1",
        "feature_time": None,
        "eligible_count": 9,
        "degradations": (),
        "offers": (OfferChoice("tea", 1, 0.5, 1.0), OfferChoice("gone-from-the-catalogue", 2, 0.25, 0.125)),
        "assignments": (AssignedVariant("e", "v", 2, {"x": 1}),),
    }
    return Decision(**plain | changes)


def test_answer_tells_the_decision() -> None:
    """Each field of a logged decision is in the answer; an offer that the catalogue has lost keeps its id."""
    answer = recommendation_messages.offer_response(_decision(), scene.CATALOGUE).decision

    assert (answer.decision_id, answer.programme, answer.member_id) == ("d", "p", "m")
    assert (answer.model_version, answer.plan_revision, answer.catalogue_revision) == (
        "m@1",
        "plan-1",
        "catalogue-1",
    )
    assert answer.decide_time.ToDatetime(tzinfo=UTC) == NOW + timedelta(microseconds=1)
    assert not answer.HasField("feature_time")
    assert answer.eligible_count == 9
    assert [(one.offer_id, one.rank, one.score, one.propensity) for one in answer.offers] == [
        ("tea", 1, 0.5, 1.0),
        ("gone-from-the-catalogue", 2, 0.25, 0.125),
    ]
    assert [one.title for one in answer.offers] == ["Tee für zwei, 茶", ""]
    assert answer.assignments[0].parameters["x"].int_value == 1


@pytest.mark.parametrize("ranking", [CHAMPION, POPULAR, CATALOGUE_ORDER])
@pytest.mark.parametrize(
    "degradations", [(), (MEMBER_UNKNOWN,), (MODEL_MISSING,), (MEMBER_UNKNOWN, TASK_EXHAUSTED)], ids=str
)
def test_rankings_and_degradations_cross_the_wire(ranking: str, degradations: tuple[str, ...]) -> None:
    """Each ranking and degradation of the domain has a value of its own on the wire."""
    answer = recommendation_messages.offer_response(
        _decision(ranking=ranking, degradations=degradations), scene.CATALOGUE
    ).decision

    assert decision_pb2.Ranking.Name(answer.ranking) == f"RANKING_{ranking.upper()}"
    assert [decision_pb2.Degradation.Name(one) for one in answer.degradations] == [
        f"DEGRADATION_{name}" for name in degradations
    ]


@pytest.mark.parametrize("code", ReasonCode)
def test_reasons_cross_the_wire(code: ReasonCode) -> None:
    """Each reason has a value of its own on the wire, and its evidence goes with it."""
    reason = OfferReason(code.value, 6, 56, 9, 11, "Käse, 茶")
    chosen = OfferChoice("tea", 1, 0.5, 1.0, (reason, OfferReason("POPULAR")))

    (offer,) = recommendation_messages.offer_response(
        _decision(offers=(chosen,)), scene.CATALOGUE
    ).decision.offers

    first, second = offer.reasons
    assert decision_pb2.OfferReasonCode.Name(first.code) == f"OFFER_REASON_CODE_{code}"
    assert (first.trip_count, first.span_days, first.interval_days, first.elapsed_days, first.product_id) == (
        6,
        56,
        9,
        11,
        "Käse, 茶",
    )
    assert [field.name for field, _ in second.ListFields()] == ["code"]


def test_every_value_of_the_enums_is_used() -> None:
    """The wire promises no ranking, degradation or reason that the server never gives."""

    def words(enum: Any, prefix: str) -> list[str]:
        return [name.removeprefix(prefix) for name in list(enum.keys()) if name != f"{prefix}UNSPECIFIED"]

    assert set(words(decision_pb2.OfferReasonCode, "OFFER_REASON_CODE_")) == {
        code.value for code in ReasonCode
    }
    degradations = tuple(words(decision_pb2.Degradation, "DEGRADATION_"))
    for ranking in words(decision_pb2.Ranking, "RANKING_"):
        decision = _decision(ranking=ranking.lower(), degradations=degradations)
        answer = recommendation_messages.offer_response(decision, scene.CATALOGUE).decision
        assert answer.ranking == decision_pb2.Ranking.Value(f"RANKING_{ranking}")
        assert len(set(answer.degradations)) == len(degradations) > 0


def test_required_fields_come_from_the_proto() -> None:
    """What is required is read from the field behaviour, so that proto and server cannot disagree."""

    def names(message: Any) -> list[str]:
        return [field.name for field in required_fields(message.DESCRIPTOR)]

    assert names(recommendation_service_pb2.RecommendOffersRequest) == ["member_id", "placement_id"]
    assert names(outcome_service_pb2.Exposure) == ["event_id", "experiment_id", "variant_id", "member_id"]
    assert names(outcome_service_pb2.Outcome) == ["event_id", "member_id", "outcome_type"]


def test_assignments_request_is_read_as_sent() -> None:
    """A sound question for assignments is read field by field."""
    read = experiment_messages.assignments_request(
        experiment_service_pb2.GetAssignmentsRequest(member_id="Zoë", experiment_ids=["b", "a"])
    )

    assert (read.programme, read.experiment_ids) == ("default", ("b", "a"))
    assert read.people == (Subject("Zoë"),)
