import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from troth.v1 import metric_pb2 as _metric_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Verdict(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    VERDICT_UNSPECIFIED: _ClassVar[Verdict]
    VERDICT_SHIP: _ClassVar[Verdict]
    VERDICT_DO_NOT_SHIP: _ClassVar[Verdict]
    VERDICT_KEEP_RUNNING: _ClassVar[Verdict]
    VERDICT_INVALID: _ClassVar[Verdict]
VERDICT_UNSPECIFIED: Verdict
VERDICT_SHIP: Verdict
VERDICT_DO_NOT_SHIP: Verdict
VERDICT_KEEP_RUNNING: Verdict
VERDICT_INVALID: Verdict

class ExperimentResults(_message.Message):
    __slots__ = ("experiment_id", "programme", "experiment_revision", "decision", "srm", "units", "results", "alpha", "summary", "analyze_time")
    class UnitsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    EXPERIMENT_ID_FIELD_NUMBER: _ClassVar[int]
    PROGRAMME_FIELD_NUMBER: _ClassVar[int]
    EXPERIMENT_REVISION_FIELD_NUMBER: _ClassVar[int]
    DECISION_FIELD_NUMBER: _ClassVar[int]
    SRM_FIELD_NUMBER: _ClassVar[int]
    UNITS_FIELD_NUMBER: _ClassVar[int]
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    ALPHA_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    ANALYZE_TIME_FIELD_NUMBER: _ClassVar[int]
    experiment_id: str
    programme: str
    experiment_revision: int
    decision: ExperimentDecision
    srm: SampleRatioCheck
    units: _containers.ScalarMap[str, int]
    results: _containers.RepeatedCompositeFieldContainer[MetricComparison]
    alpha: float
    summary: str
    analyze_time: _timestamp_pb2.Timestamp
    def __init__(self, experiment_id: _Optional[str] = ..., programme: _Optional[str] = ..., experiment_revision: _Optional[int] = ..., decision: _Optional[_Union[ExperimentDecision, _Mapping]] = ..., srm: _Optional[_Union[SampleRatioCheck, _Mapping]] = ..., units: _Optional[_Mapping[str, int]] = ..., results: _Optional[_Iterable[_Union[MetricComparison, _Mapping]]] = ..., alpha: _Optional[float] = ..., summary: _Optional[str] = ..., analyze_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ExperimentDecision(_message.Message):
    __slots__ = ("verdict", "reason", "variant_id", "units_to_go", "days_to_go", "error_rates")
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    VARIANT_ID_FIELD_NUMBER: _ClassVar[int]
    UNITS_TO_GO_FIELD_NUMBER: _ClassVar[int]
    DAYS_TO_GO_FIELD_NUMBER: _ClassVar[int]
    ERROR_RATES_FIELD_NUMBER: _ClassVar[int]
    verdict: Verdict
    reason: str
    variant_id: str
    units_to_go: int
    days_to_go: int
    error_rates: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, verdict: _Optional[_Union[Verdict, str]] = ..., reason: _Optional[str] = ..., variant_id: _Optional[str] = ..., units_to_go: _Optional[int] = ..., days_to_go: _Optional[int] = ..., error_rates: _Optional[_Iterable[str]] = ...) -> None: ...

class SampleRatioCheck(_message.Message):
    __slots__ = ("p_value", "always_valid_p", "alarm", "expected", "reasons", "warning")
    class ExpectedEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    class ReasonsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    P_VALUE_FIELD_NUMBER: _ClassVar[int]
    ALWAYS_VALID_P_FIELD_NUMBER: _ClassVar[int]
    ALARM_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    WARNING_FIELD_NUMBER: _ClassVar[int]
    p_value: float
    always_valid_p: float
    alarm: bool
    expected: _containers.ScalarMap[str, float]
    reasons: _containers.ScalarMap[str, str]
    warning: bool
    def __init__(self, p_value: _Optional[float] = ..., always_valid_p: _Optional[float] = ..., alarm: _Optional[bool] = ..., expected: _Optional[_Mapping[str, float]] = ..., reasons: _Optional[_Mapping[str, str]] = ..., warning: _Optional[bool] = ...) -> None: ...

class MetricComparison(_message.Message):
    __slots__ = ("metric_id", "role", "variant_id", "control_id", "control_mean", "treatment_mean", "estimate", "standard_error", "ci_lower", "ci_upper", "relative_estimate", "relative_ci_lower", "relative_ci_upper", "p_value", "adjusted_p_value", "adjusted_ci_lower", "adjusted_ci_upper", "always_valid_p_value", "always_valid_ci_lower", "always_valid_ci_upper", "method", "ingredients", "reasons", "degrees_of_freedom", "adjusted_relative_ci_lower", "adjusted_relative_ci_upper", "always_valid_relative_ci_lower", "always_valid_relative_ci_upper", "decision_p_value", "decision_ci_lower", "decision_ci_upper", "variance_reduction")
    class ReasonsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    METRIC_ID_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    VARIANT_ID_FIELD_NUMBER: _ClassVar[int]
    CONTROL_ID_FIELD_NUMBER: _ClassVar[int]
    CONTROL_MEAN_FIELD_NUMBER: _ClassVar[int]
    TREATMENT_MEAN_FIELD_NUMBER: _ClassVar[int]
    ESTIMATE_FIELD_NUMBER: _ClassVar[int]
    STANDARD_ERROR_FIELD_NUMBER: _ClassVar[int]
    CI_LOWER_FIELD_NUMBER: _ClassVar[int]
    CI_UPPER_FIELD_NUMBER: _ClassVar[int]
    RELATIVE_ESTIMATE_FIELD_NUMBER: _ClassVar[int]
    RELATIVE_CI_LOWER_FIELD_NUMBER: _ClassVar[int]
    RELATIVE_CI_UPPER_FIELD_NUMBER: _ClassVar[int]
    P_VALUE_FIELD_NUMBER: _ClassVar[int]
    ADJUSTED_P_VALUE_FIELD_NUMBER: _ClassVar[int]
    ADJUSTED_CI_LOWER_FIELD_NUMBER: _ClassVar[int]
    ADJUSTED_CI_UPPER_FIELD_NUMBER: _ClassVar[int]
    ALWAYS_VALID_P_VALUE_FIELD_NUMBER: _ClassVar[int]
    ALWAYS_VALID_CI_LOWER_FIELD_NUMBER: _ClassVar[int]
    ALWAYS_VALID_CI_UPPER_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    INGREDIENTS_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    DEGREES_OF_FREEDOM_FIELD_NUMBER: _ClassVar[int]
    ADJUSTED_RELATIVE_CI_LOWER_FIELD_NUMBER: _ClassVar[int]
    ADJUSTED_RELATIVE_CI_UPPER_FIELD_NUMBER: _ClassVar[int]
    ALWAYS_VALID_RELATIVE_CI_LOWER_FIELD_NUMBER: _ClassVar[int]
    ALWAYS_VALID_RELATIVE_CI_UPPER_FIELD_NUMBER: _ClassVar[int]
    DECISION_P_VALUE_FIELD_NUMBER: _ClassVar[int]
    DECISION_CI_LOWER_FIELD_NUMBER: _ClassVar[int]
    DECISION_CI_UPPER_FIELD_NUMBER: _ClassVar[int]
    VARIANCE_REDUCTION_FIELD_NUMBER: _ClassVar[int]
    metric_id: str
    role: _metric_pb2.MetricRole
    variant_id: str
    control_id: str
    control_mean: float
    treatment_mean: float
    estimate: float
    standard_error: float
    ci_lower: float
    ci_upper: float
    relative_estimate: float
    relative_ci_lower: float
    relative_ci_upper: float
    p_value: float
    adjusted_p_value: float
    adjusted_ci_lower: float
    adjusted_ci_upper: float
    always_valid_p_value: float
    always_valid_ci_lower: float
    always_valid_ci_upper: float
    method: str
    ingredients: _containers.RepeatedScalarFieldContainer[str]
    reasons: _containers.ScalarMap[str, str]
    degrees_of_freedom: float
    adjusted_relative_ci_lower: float
    adjusted_relative_ci_upper: float
    always_valid_relative_ci_lower: float
    always_valid_relative_ci_upper: float
    decision_p_value: float
    decision_ci_lower: float
    decision_ci_upper: float
    variance_reduction: float
    def __init__(self, metric_id: _Optional[str] = ..., role: _Optional[_Union[_metric_pb2.MetricRole, str]] = ..., variant_id: _Optional[str] = ..., control_id: _Optional[str] = ..., control_mean: _Optional[float] = ..., treatment_mean: _Optional[float] = ..., estimate: _Optional[float] = ..., standard_error: _Optional[float] = ..., ci_lower: _Optional[float] = ..., ci_upper: _Optional[float] = ..., relative_estimate: _Optional[float] = ..., relative_ci_lower: _Optional[float] = ..., relative_ci_upper: _Optional[float] = ..., p_value: _Optional[float] = ..., adjusted_p_value: _Optional[float] = ..., adjusted_ci_lower: _Optional[float] = ..., adjusted_ci_upper: _Optional[float] = ..., always_valid_p_value: _Optional[float] = ..., always_valid_ci_lower: _Optional[float] = ..., always_valid_ci_upper: _Optional[float] = ..., method: _Optional[str] = ..., ingredients: _Optional[_Iterable[str]] = ..., reasons: _Optional[_Mapping[str, str]] = ..., degrees_of_freedom: _Optional[float] = ..., adjusted_relative_ci_lower: _Optional[float] = ..., adjusted_relative_ci_upper: _Optional[float] = ..., always_valid_relative_ci_lower: _Optional[float] = ..., always_valid_relative_ci_upper: _Optional[float] = ..., decision_p_value: _Optional[float] = ..., decision_ci_lower: _Optional[float] = ..., decision_ci_upper: _Optional[float] = ..., variance_reduction: _Optional[float] = ...) -> None: ...
