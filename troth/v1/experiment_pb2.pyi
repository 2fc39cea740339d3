import datetime

from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.type import date_pb2 as _date_pb2
from troth.v1 import assignment_pb2 as _assignment_pb2
from troth.v1 import metric_pb2 as _metric_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ExperimentState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EXPERIMENT_STATE_UNSPECIFIED: _ClassVar[ExperimentState]
    EXPERIMENT_STATE_DRAFT: _ClassVar[ExperimentState]
    EXPERIMENT_STATE_RUNNING: _ClassVar[ExperimentState]
    EXPERIMENT_STATE_STOPPED: _ClassVar[ExperimentState]
    EXPERIMENT_STATE_ARCHIVED: _ClassVar[ExperimentState]

class AttributeType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ATTRIBUTE_TYPE_UNSPECIFIED: _ClassVar[AttributeType]
    ATTRIBUTE_TYPE_STRING: _ClassVar[AttributeType]
    ATTRIBUTE_TYPE_INT: _ClassVar[AttributeType]
    ATTRIBUTE_TYPE_DOUBLE: _ClassVar[AttributeType]
    ATTRIBUTE_TYPE_BOOL: _ClassVar[AttributeType]
    ATTRIBUTE_TYPE_TIMESTAMP: _ClassVar[AttributeType]
    ATTRIBUTE_TYPE_STRING_LIST: _ClassVar[AttributeType]

class AllocationKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ALLOCATION_KIND_UNSPECIFIED: _ClassVar[AllocationKind]
    ALLOCATION_KIND_FIXED: _ClassVar[AllocationKind]
    ALLOCATION_KIND_THOMPSON: _ClassVar[AllocationKind]

class AnalysisMethod(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ANALYSIS_METHOD_UNSPECIFIED: _ClassVar[AnalysisMethod]
    ANALYSIS_METHOD_ALWAYS_VALID: _ClassVar[AnalysisMethod]
    ANALYSIS_METHOD_GROUP_SEQUENTIAL: _ClassVar[AnalysisMethod]
    ANALYSIS_METHOD_FIXED: _ClassVar[AnalysisMethod]

class AlphaSpending(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ALPHA_SPENDING_UNSPECIFIED: _ClassVar[AlphaSpending]
    ALPHA_SPENDING_OBRIEN_FLEMING: _ClassVar[AlphaSpending]
    ALPHA_SPENDING_POCOCK: _ClassVar[AlphaSpending]
    ALPHA_SPENDING_POWER: _ClassVar[AlphaSpending]

class Correction(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CORRECTION_UNSPECIFIED: _ClassVar[Correction]
    CORRECTION_HOLM: _ClassVar[Correction]
    CORRECTION_BENJAMINI_HOCHBERG: _ClassVar[Correction]
    CORRECTION_NONE: _ClassVar[Correction]

class Attribution(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ATTRIBUTION_UNSPECIFIED: _ClassVar[Attribution]
    ATTRIBUTION_MEMBER: _ClassVar[Attribution]
    ATTRIBUTION_DECISION: _ClassVar[Attribution]
EXPERIMENT_STATE_UNSPECIFIED: ExperimentState
EXPERIMENT_STATE_DRAFT: ExperimentState
EXPERIMENT_STATE_RUNNING: ExperimentState
EXPERIMENT_STATE_STOPPED: ExperimentState
EXPERIMENT_STATE_ARCHIVED: ExperimentState
ATTRIBUTE_TYPE_UNSPECIFIED: AttributeType
ATTRIBUTE_TYPE_STRING: AttributeType
ATTRIBUTE_TYPE_INT: AttributeType
ATTRIBUTE_TYPE_DOUBLE: AttributeType
ATTRIBUTE_TYPE_BOOL: AttributeType
ATTRIBUTE_TYPE_TIMESTAMP: AttributeType
ATTRIBUTE_TYPE_STRING_LIST: AttributeType
ALLOCATION_KIND_UNSPECIFIED: AllocationKind
ALLOCATION_KIND_FIXED: AllocationKind
ALLOCATION_KIND_THOMPSON: AllocationKind
ANALYSIS_METHOD_UNSPECIFIED: AnalysisMethod
ANALYSIS_METHOD_ALWAYS_VALID: AnalysisMethod
ANALYSIS_METHOD_GROUP_SEQUENTIAL: AnalysisMethod
ANALYSIS_METHOD_FIXED: AnalysisMethod
ALPHA_SPENDING_UNSPECIFIED: AlphaSpending
ALPHA_SPENDING_OBRIEN_FLEMING: AlphaSpending
ALPHA_SPENDING_POCOCK: AlphaSpending
ALPHA_SPENDING_POWER: AlphaSpending
CORRECTION_UNSPECIFIED: Correction
CORRECTION_HOLM: Correction
CORRECTION_BENJAMINI_HOCHBERG: Correction
CORRECTION_NONE: Correction
ATTRIBUTION_UNSPECIFIED: Attribution
ATTRIBUTION_MEMBER: Attribution
ATTRIBUTION_DECISION: Attribution

class Experiment(_message.Message):
    __slots__ = ("experiment_id", "programme", "revision", "hypothesis", "owner", "unit", "state", "placements", "salt", "traffic_ppm", "layer", "holdout", "attributes", "targeting", "overrides", "sticky", "control", "variants", "factors", "allocation", "metrics", "alpha", "power", "correction", "analysis", "planned_units", "start_date", "end_date", "window_days", "attribution", "segments", "unit_column", "variant_column", "time_column", "cluster_column", "trigger_column", "money", "prior", "create_time", "update_time", "etag", "read_only")
    class AttributesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: AttributeType
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[AttributeType, str]] = ...) -> None: ...
    class OverridesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    EXPERIMENT_ID_FIELD_NUMBER: _ClassVar[int]
    PROGRAMME_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    HYPOTHESIS_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    PLACEMENTS_FIELD_NUMBER: _ClassVar[int]
    SALT_FIELD_NUMBER: _ClassVar[int]
    TRAFFIC_PPM_FIELD_NUMBER: _ClassVar[int]
    LAYER_FIELD_NUMBER: _ClassVar[int]
    HOLDOUT_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    TARGETING_FIELD_NUMBER: _ClassVar[int]
    OVERRIDES_FIELD_NUMBER: _ClassVar[int]
    STICKY_FIELD_NUMBER: _ClassVar[int]
    CONTROL_FIELD_NUMBER: _ClassVar[int]
    VARIANTS_FIELD_NUMBER: _ClassVar[int]
    FACTORS_FIELD_NUMBER: _ClassVar[int]
    ALLOCATION_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    ALPHA_FIELD_NUMBER: _ClassVar[int]
    POWER_FIELD_NUMBER: _ClassVar[int]
    CORRECTION_FIELD_NUMBER: _ClassVar[int]
    ANALYSIS_FIELD_NUMBER: _ClassVar[int]
    PLANNED_UNITS_FIELD_NUMBER: _ClassVar[int]
    START_DATE_FIELD_NUMBER: _ClassVar[int]
    END_DATE_FIELD_NUMBER: _ClassVar[int]
    WINDOW_DAYS_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTION_FIELD_NUMBER: _ClassVar[int]
    SEGMENTS_FIELD_NUMBER: _ClassVar[int]
    UNIT_COLUMN_FIELD_NUMBER: _ClassVar[int]
    VARIANT_COLUMN_FIELD_NUMBER: _ClassVar[int]
    TIME_COLUMN_FIELD_NUMBER: _ClassVar[int]
    CLUSTER_COLUMN_FIELD_NUMBER: _ClassVar[int]
    TRIGGER_COLUMN_FIELD_NUMBER: _ClassVar[int]
    MONEY_FIELD_NUMBER: _ClassVar[int]
    PRIOR_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    READ_ONLY_FIELD_NUMBER: _ClassVar[int]
    experiment_id: str
    programme: str
    revision: int
    hypothesis: str
    owner: str
    unit: str
    state: ExperimentState
    placements: _containers.RepeatedScalarFieldContainer[str]
    salt: str
    traffic_ppm: int
    layer: ExperimentLayer
    holdout: ExperimentHoldout
    attributes: _containers.ScalarMap[str, AttributeType]
    targeting: str
    overrides: _containers.ScalarMap[str, str]
    sticky: bool
    control: str
    variants: _containers.RepeatedCompositeFieldContainer[ExperimentVariant]
    factors: _containers.RepeatedCompositeFieldContainer[ExperimentFactor]
    allocation: ExperimentAllocation
    metrics: _containers.RepeatedCompositeFieldContainer[_metric_pb2.Metric]
    alpha: float
    power: float
    correction: Correction
    analysis: ExperimentAnalysis
    planned_units: int
    start_date: _date_pb2.Date
    end_date: _date_pb2.Date
    window_days: int
    attribution: Attribution
    segments: _containers.RepeatedScalarFieldContainer[str]
    unit_column: str
    variant_column: str
    time_column: str
    cluster_column: str
    trigger_column: str
    money: ExperimentMoney
    prior: ExperimentPrior
    create_time: _timestamp_pb2.Timestamp
    update_time: _timestamp_pb2.Timestamp
    etag: str
    read_only: bool
    def __init__(self, experiment_id: _Optional[str] = ..., programme: _Optional[str] = ..., revision: _Optional[int] = ..., hypothesis: _Optional[str] = ..., owner: _Optional[str] = ..., unit: _Optional[str] = ..., state: _Optional[_Union[ExperimentState, str]] = ..., placements: _Optional[_Iterable[str]] = ..., salt: _Optional[str] = ..., traffic_ppm: _Optional[int] = ..., layer: _Optional[_Union[ExperimentLayer, _Mapping]] = ..., holdout: _Optional[_Union[ExperimentHoldout, _Mapping]] = ..., attributes: _Optional[_Mapping[str, AttributeType]] = ..., targeting: _Optional[str] = ..., overrides: _Optional[_Mapping[str, str]] = ..., sticky: _Optional[bool] = ..., control: _Optional[str] = ..., variants: _Optional[_Iterable[_Union[ExperimentVariant, _Mapping]]] = ..., factors: _Optional[_Iterable[_Union[ExperimentFactor, _Mapping]]] = ..., allocation: _Optional[_Union[ExperimentAllocation, _Mapping]] = ..., metrics: _Optional[_Iterable[_Union[_metric_pb2.Metric, _Mapping]]] = ..., alpha: _Optional[float] = ..., power: _Optional[float] = ..., correction: _Optional[_Union[Correction, str]] = ..., analysis: _Optional[_Union[ExperimentAnalysis, _Mapping]] = ..., planned_units: _Optional[int] = ..., start_date: _Optional[_Union[_date_pb2.Date, _Mapping]] = ..., end_date: _Optional[_Union[_date_pb2.Date, _Mapping]] = ..., window_days: _Optional[int] = ..., attribution: _Optional[_Union[Attribution, str]] = ..., segments: _Optional[_Iterable[str]] = ..., unit_column: _Optional[str] = ..., variant_column: _Optional[str] = ..., time_column: _Optional[str] = ..., cluster_column: _Optional[str] = ..., trigger_column: _Optional[str] = ..., money: _Optional[_Union[ExperimentMoney, _Mapping]] = ..., prior: _Optional[_Union[ExperimentPrior, _Mapping]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., etag: _Optional[str] = ..., read_only: _Optional[bool] = ...) -> None: ...

class ExperimentLayer(_message.Message):
    __slots__ = ("layer_id", "slots")
    LAYER_ID_FIELD_NUMBER: _ClassVar[int]
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    layer_id: str
    slots: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, layer_id: _Optional[str] = ..., slots: _Optional[_Iterable[str]] = ...) -> None: ...

class ExperimentHoldout(_message.Message):
    __slots__ = ("holdout_id", "traffic_ppm")
    HOLDOUT_ID_FIELD_NUMBER: _ClassVar[int]
    TRAFFIC_PPM_FIELD_NUMBER: _ClassVar[int]
    holdout_id: str
    traffic_ppm: int
    def __init__(self, holdout_id: _Optional[str] = ..., traffic_ppm: _Optional[int] = ...) -> None: ...

class ExperimentVariant(_message.Message):
    __slots__ = ("variant_id", "weight", "name", "description", "parameters")
    class ParametersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _assignment_pb2.ParameterValue
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_assignment_pb2.ParameterValue, _Mapping]] = ...) -> None: ...
    VARIANT_ID_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    variant_id: str
    weight: int
    name: str
    description: str
    parameters: _containers.MessageMap[str, _assignment_pb2.ParameterValue]
    def __init__(self, variant_id: _Optional[str] = ..., weight: _Optional[int] = ..., name: _Optional[str] = ..., description: _Optional[str] = ..., parameters: _Optional[_Mapping[str, _assignment_pb2.ParameterValue]] = ...) -> None: ...

class ExperimentFactor(_message.Message):
    __slots__ = ("factor_id", "name", "levels")
    FACTOR_ID_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    LEVELS_FIELD_NUMBER: _ClassVar[int]
    factor_id: str
    name: str
    levels: _containers.RepeatedCompositeFieldContainer[FactorLevel]
    def __init__(self, factor_id: _Optional[str] = ..., name: _Optional[str] = ..., levels: _Optional[_Iterable[_Union[FactorLevel, _Mapping]]] = ...) -> None: ...

class FactorLevel(_message.Message):
    __slots__ = ("level_id", "weight", "name", "parameters")
    class ParametersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _assignment_pb2.ParameterValue
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_assignment_pb2.ParameterValue, _Mapping]] = ...) -> None: ...
    LEVEL_ID_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    level_id: str
    weight: int
    name: str
    parameters: _containers.MessageMap[str, _assignment_pb2.ParameterValue]
    def __init__(self, level_id: _Optional[str] = ..., weight: _Optional[int] = ..., name: _Optional[str] = ..., parameters: _Optional[_Mapping[str, _assignment_pb2.ParameterValue]] = ...) -> None: ...

class ExperimentAllocation(_message.Message):
    __slots__ = ("kind", "uniform_ppm", "metric_id")
    KIND_FIELD_NUMBER: _ClassVar[int]
    UNIFORM_PPM_FIELD_NUMBER: _ClassVar[int]
    METRIC_ID_FIELD_NUMBER: _ClassVar[int]
    kind: AllocationKind
    uniform_ppm: int
    metric_id: str
    def __init__(self, kind: _Optional[_Union[AllocationKind, str]] = ..., uniform_ppm: _Optional[int] = ..., metric_id: _Optional[str] = ...) -> None: ...

class ExperimentAnalysis(_message.Message):
    __slots__ = ("method", "spending", "phi", "looks")
    METHOD_FIELD_NUMBER: _ClassVar[int]
    SPENDING_FIELD_NUMBER: _ClassVar[int]
    PHI_FIELD_NUMBER: _ClassVar[int]
    LOOKS_FIELD_NUMBER: _ClassVar[int]
    method: AnalysisMethod
    spending: AlphaSpending
    phi: float
    looks: int
    def __init__(self, method: _Optional[_Union[AnalysisMethod, str]] = ..., spending: _Optional[_Union[AlphaSpending, str]] = ..., phi: _Optional[float] = ..., looks: _Optional[int] = ...) -> None: ...

class ExperimentMoney(_message.Message):
    __slots__ = ("metric_id", "units_per_month", "cost_per_unit", "cost_per_month", "currency_code")
    METRIC_ID_FIELD_NUMBER: _ClassVar[int]
    UNITS_PER_MONTH_FIELD_NUMBER: _ClassVar[int]
    COST_PER_UNIT_FIELD_NUMBER: _ClassVar[int]
    COST_PER_MONTH_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_CODE_FIELD_NUMBER: _ClassVar[int]
    metric_id: str
    units_per_month: float
    cost_per_unit: float
    cost_per_month: float
    currency_code: str
    def __init__(self, metric_id: _Optional[str] = ..., units_per_month: _Optional[float] = ..., cost_per_unit: _Optional[float] = ..., cost_per_month: _Optional[float] = ..., currency_code: _Optional[str] = ...) -> None: ...

class ExperimentPrior(_message.Message):
    __slots__ = ("prior_mean", "prior_sd")
    PRIOR_MEAN_FIELD_NUMBER: _ClassVar[int]
    PRIOR_SD_FIELD_NUMBER: _ClassVar[int]
    prior_mean: float
    prior_sd: float
    def __init__(self, prior_mean: _Optional[float] = ..., prior_sd: _Optional[float] = ...) -> None: ...
