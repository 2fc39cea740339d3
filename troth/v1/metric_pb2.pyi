from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class MetricRole(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    METRIC_ROLE_UNSPECIFIED: _ClassVar[MetricRole]
    METRIC_ROLE_SUCCESS: _ClassVar[MetricRole]
    METRIC_ROLE_GUARDRAIL: _ClassVar[MetricRole]
    METRIC_ROLE_QUALITY: _ClassVar[MetricRole]

class MetricKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    METRIC_KIND_UNSPECIFIED: _ClassVar[MetricKind]
    METRIC_KIND_MEAN: _ClassVar[MetricKind]
    METRIC_KIND_PROPORTION: _ClassVar[MetricKind]
    METRIC_KIND_COUNT: _ClassVar[MetricKind]
    METRIC_KIND_RATIO: _ClassVar[MetricKind]
    METRIC_KIND_QUANTILE: _ClassVar[MetricKind]
    METRIC_KIND_RETENTION: _ClassVar[MetricKind]

class Direction(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DIRECTION_UNSPECIFIED: _ClassVar[Direction]
    DIRECTION_INCREASE: _ClassVar[Direction]
    DIRECTION_DECREASE: _ClassVar[Direction]

class Alternative(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ALTERNATIVE_UNSPECIFIED: _ClassVar[Alternative]
    ALTERNATIVE_TWO_SIDED: _ClassVar[Alternative]
    ALTERNATIVE_GREATER: _ClassVar[Alternative]
    ALTERNATIVE_LESS: _ClassVar[Alternative]

class EventKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EVENT_KIND_UNSPECIFIED: _ClassVar[EventKind]
    EVENT_KIND_OUTCOMES: _ClassVar[EventKind]
    EVENT_KIND_EXPOSURES: _ClassVar[EventKind]

class Aggregate(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    AGGREGATE_UNSPECIFIED: _ClassVar[Aggregate]
    AGGREGATE_COUNT: _ClassVar[Aggregate]
    AGGREGATE_VALUE: _ClassVar[Aggregate]

class Inference(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    INFERENCE_UNSPECIFIED: _ClassVar[Inference]
    INFERENCE_FORMULA: _ClassVar[Inference]
    INFERENCE_BOOTSTRAP: _ClassVar[Inference]
METRIC_ROLE_UNSPECIFIED: MetricRole
METRIC_ROLE_SUCCESS: MetricRole
METRIC_ROLE_GUARDRAIL: MetricRole
METRIC_ROLE_QUALITY: MetricRole
METRIC_KIND_UNSPECIFIED: MetricKind
METRIC_KIND_MEAN: MetricKind
METRIC_KIND_PROPORTION: MetricKind
METRIC_KIND_COUNT: MetricKind
METRIC_KIND_RATIO: MetricKind
METRIC_KIND_QUANTILE: MetricKind
METRIC_KIND_RETENTION: MetricKind
DIRECTION_UNSPECIFIED: Direction
DIRECTION_INCREASE: Direction
DIRECTION_DECREASE: Direction
ALTERNATIVE_UNSPECIFIED: Alternative
ALTERNATIVE_TWO_SIDED: Alternative
ALTERNATIVE_GREATER: Alternative
ALTERNATIVE_LESS: Alternative
EVENT_KIND_UNSPECIFIED: EventKind
EVENT_KIND_OUTCOMES: EventKind
EVENT_KIND_EXPOSURES: EventKind
AGGREGATE_UNSPECIFIED: Aggregate
AGGREGATE_COUNT: Aggregate
AGGREGATE_VALUE: Aggregate
INFERENCE_UNSPECIFIED: Inference
INFERENCE_FORMULA: Inference
INFERENCE_BOOTSTRAP: Inference

class Metric(_message.Message):
    __slots__ = ("metric_id", "role", "name", "kind", "numerator", "denominator", "direction", "alternative", "margin", "quantile", "retention", "window_days", "winsorize", "covariates", "inference", "unit_label")
    METRIC_ID_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    NUMERATOR_FIELD_NUMBER: _ClassVar[int]
    DENOMINATOR_FIELD_NUMBER: _ClassVar[int]
    DIRECTION_FIELD_NUMBER: _ClassVar[int]
    ALTERNATIVE_FIELD_NUMBER: _ClassVar[int]
    MARGIN_FIELD_NUMBER: _ClassVar[int]
    QUANTILE_FIELD_NUMBER: _ClassVar[int]
    RETENTION_FIELD_NUMBER: _ClassVar[int]
    WINDOW_DAYS_FIELD_NUMBER: _ClassVar[int]
    WINSORIZE_FIELD_NUMBER: _ClassVar[int]
    COVARIATES_FIELD_NUMBER: _ClassVar[int]
    INFERENCE_FIELD_NUMBER: _ClassVar[int]
    UNIT_LABEL_FIELD_NUMBER: _ClassVar[int]
    metric_id: str
    role: MetricRole
    name: str
    kind: MetricKind
    numerator: MetricSource
    denominator: MetricSource
    direction: Direction
    alternative: Alternative
    margin: MetricMargin
    quantile: float
    retention: MetricRetention
    window_days: int
    winsorize: MetricWinsorize
    covariates: _containers.RepeatedCompositeFieldContainer[MetricCovariate]
    inference: Inference
    unit_label: str
    def __init__(self, metric_id: _Optional[str] = ..., role: _Optional[_Union[MetricRole, str]] = ..., name: _Optional[str] = ..., kind: _Optional[_Union[MetricKind, str]] = ..., numerator: _Optional[_Union[MetricSource, _Mapping]] = ..., denominator: _Optional[_Union[MetricSource, _Mapping]] = ..., direction: _Optional[_Union[Direction, str]] = ..., alternative: _Optional[_Union[Alternative, str]] = ..., margin: _Optional[_Union[MetricMargin, _Mapping]] = ..., quantile: _Optional[float] = ..., retention: _Optional[_Union[MetricRetention, _Mapping]] = ..., window_days: _Optional[int] = ..., winsorize: _Optional[_Union[MetricWinsorize, _Mapping]] = ..., covariates: _Optional[_Iterable[_Union[MetricCovariate, _Mapping]]] = ..., inference: _Optional[_Union[Inference, str]] = ..., unit_label: _Optional[str] = ...) -> None: ...

class MetricSource(_message.Message):
    __slots__ = ("column", "terms", "event", "outcome_type", "aggregate")
    COLUMN_FIELD_NUMBER: _ClassVar[int]
    TERMS_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_TYPE_FIELD_NUMBER: _ClassVar[int]
    AGGREGATE_FIELD_NUMBER: _ClassVar[int]
    column: str
    terms: _containers.RepeatedCompositeFieldContainer[MetricTerm]
    event: EventKind
    outcome_type: str
    aggregate: Aggregate
    def __init__(self, column: _Optional[str] = ..., terms: _Optional[_Iterable[_Union[MetricTerm, _Mapping]]] = ..., event: _Optional[_Union[EventKind, str]] = ..., outcome_type: _Optional[str] = ..., aggregate: _Optional[_Union[Aggregate, str]] = ...) -> None: ...

class MetricTerm(_message.Message):
    __slots__ = ("column", "factor")
    COLUMN_FIELD_NUMBER: _ClassVar[int]
    FACTOR_FIELD_NUMBER: _ClassVar[int]
    column: str
    factor: float
    def __init__(self, column: _Optional[str] = ..., factor: _Optional[float] = ...) -> None: ...

class MetricMargin(_message.Message):
    __slots__ = ("relative", "absolute")
    RELATIVE_FIELD_NUMBER: _ClassVar[int]
    ABSOLUTE_FIELD_NUMBER: _ClassVar[int]
    relative: float
    absolute: float
    def __init__(self, relative: _Optional[float] = ..., absolute: _Optional[float] = ...) -> None: ...

class MetricRetention(_message.Message):
    __slots__ = ("outcome_type", "first_day", "last_day")
    OUTCOME_TYPE_FIELD_NUMBER: _ClassVar[int]
    FIRST_DAY_FIELD_NUMBER: _ClassVar[int]
    LAST_DAY_FIELD_NUMBER: _ClassVar[int]
    outcome_type: str
    first_day: int
    last_day: int
    def __init__(self, outcome_type: _Optional[str] = ..., first_day: _Optional[int] = ..., last_day: _Optional[int] = ...) -> None: ...

class MetricWinsorize(_message.Message):
    __slots__ = ("lower", "upper", "lower_quantile", "upper_quantile")
    LOWER_FIELD_NUMBER: _ClassVar[int]
    UPPER_FIELD_NUMBER: _ClassVar[int]
    LOWER_QUANTILE_FIELD_NUMBER: _ClassVar[int]
    UPPER_QUANTILE_FIELD_NUMBER: _ClassVar[int]
    lower: float
    upper: float
    lower_quantile: float
    upper_quantile: float
    def __init__(self, lower: _Optional[float] = ..., upper: _Optional[float] = ..., lower_quantile: _Optional[float] = ..., upper_quantile: _Optional[float] = ...) -> None: ...

class MetricCovariate(_message.Message):
    __slots__ = ("numerator", "denominator", "pre_period_days")
    NUMERATOR_FIELD_NUMBER: _ClassVar[int]
    DENOMINATOR_FIELD_NUMBER: _ClassVar[int]
    PRE_PERIOD_DAYS_FIELD_NUMBER: _ClassVar[int]
    numerator: MetricSource
    denominator: MetricSource
    pre_period_days: int
    def __init__(self, numerator: _Optional[_Union[MetricSource, _Mapping]] = ..., denominator: _Optional[_Union[MetricSource, _Mapping]] = ..., pre_period_days: _Optional[int] = ...) -> None: ...
