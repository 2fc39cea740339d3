from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.type import date_pb2 as _date_pb2
from google.type import money_pb2 as _money_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PlacementSubject(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PLACEMENT_SUBJECT_UNSPECIFIED: _ClassVar[PlacementSubject]
    PLACEMENT_SUBJECT_OFFERS: _ClassVar[PlacementSubject]
    PLACEMENT_SUBJECT_ACTIONS: _ClassVar[PlacementSubject]

class PlacementRanking(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PLACEMENT_RANKING_UNSPECIFIED: _ClassVar[PlacementRanking]
    PLACEMENT_RANKING_CHAMPION: _ClassVar[PlacementRanking]
    PLACEMENT_RANKING_POPULAR: _ClassVar[PlacementRanking]

class PlacementTask(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PLACEMENT_TASK_UNSPECIFIED: _ClassVar[PlacementTask]
    PLACEMENT_TASK_REPLENISH: _ClassVar[PlacementTask]
    PLACEMENT_TASK_WIN_BACK: _ClassVar[PlacementTask]
    PLACEMENT_TASK_DISCOVER: _ClassVar[PlacementTask]
    PLACEMENT_TASK_REDEEM: _ClassVar[PlacementTask]

class ExplorationMethod(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EXPLORATION_METHOD_UNSPECIFIED: _ClassVar[ExplorationMethod]
    EXPLORATION_METHOD_NONE: _ClassVar[ExplorationMethod]
    EXPLORATION_METHOD_EPSILON: _ClassVar[ExplorationMethod]
    EXPLORATION_METHOD_SOFTMAX: _ClassVar[ExplorationMethod]
    EXPLORATION_METHOD_THOMPSON: _ClassVar[ExplorationMethod]

class ArbitrationFactor(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ARBITRATION_FACTOR_UNSPECIFIED: _ClassVar[ArbitrationFactor]
    ARBITRATION_FACTOR_PROBABILITY: _ClassVar[ArbitrationFactor]
    ARBITRATION_FACTOR_VALUE: _ClassVar[ArbitrationFactor]
    ARBITRATION_FACTOR_CONTEXT: _ClassVar[ArbitrationFactor]
    ARBITRATION_FACTOR_LEVER: _ClassVar[ArbitrationFactor]
    ARBITRATION_FACTOR_COST: _ClassVar[ArbitrationFactor]

class StandingPeriod(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STANDING_PERIOD_UNSPECIFIED: _ClassVar[StandingPeriod]
    STANDING_PERIOD_MONTH: _ClassVar[StandingPeriod]
    STANDING_PERIOD_QUARTER: _ClassVar[StandingPeriod]
    STANDING_PERIOD_YEAR: _ClassVar[StandingPeriod]

class BudgetPeriod(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BUDGET_PERIOD_UNSPECIFIED: _ClassVar[BudgetPeriod]
    BUDGET_PERIOD_TOTAL: _ClassVar[BudgetPeriod]
    BUDGET_PERIOD_DAY: _ClassVar[BudgetPeriod]
    BUDGET_PERIOD_WEEK: _ClassVar[BudgetPeriod]
    BUDGET_PERIOD_MONTH: _ClassVar[BudgetPeriod]

class BudgetPacing(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BUDGET_PACING_UNSPECIFIED: _ClassVar[BudgetPacing]
    BUDGET_PACING_NONE: _ClassVar[BudgetPacing]
    BUDGET_PACING_EVEN: _ClassVar[BudgetPacing]

class CoolDownScope(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    COOL_DOWN_SCOPE_UNSPECIFIED: _ClassVar[CoolDownScope]
    COOL_DOWN_SCOPE_CANDIDATE: _ClassVar[CoolDownScope]
    COOL_DOWN_SCOPE_GROUP: _ClassVar[CoolDownScope]
    COOL_DOWN_SCOPE_CHANNEL: _ClassVar[CoolDownScope]
    COOL_DOWN_SCOPE_EVERYTHING: _ClassVar[CoolDownScope]
PLACEMENT_SUBJECT_UNSPECIFIED: PlacementSubject
PLACEMENT_SUBJECT_OFFERS: PlacementSubject
PLACEMENT_SUBJECT_ACTIONS: PlacementSubject
PLACEMENT_RANKING_UNSPECIFIED: PlacementRanking
PLACEMENT_RANKING_CHAMPION: PlacementRanking
PLACEMENT_RANKING_POPULAR: PlacementRanking
PLACEMENT_TASK_UNSPECIFIED: PlacementTask
PLACEMENT_TASK_REPLENISH: PlacementTask
PLACEMENT_TASK_WIN_BACK: PlacementTask
PLACEMENT_TASK_DISCOVER: PlacementTask
PLACEMENT_TASK_REDEEM: PlacementTask
EXPLORATION_METHOD_UNSPECIFIED: ExplorationMethod
EXPLORATION_METHOD_NONE: ExplorationMethod
EXPLORATION_METHOD_EPSILON: ExplorationMethod
EXPLORATION_METHOD_SOFTMAX: ExplorationMethod
EXPLORATION_METHOD_THOMPSON: ExplorationMethod
ARBITRATION_FACTOR_UNSPECIFIED: ArbitrationFactor
ARBITRATION_FACTOR_PROBABILITY: ArbitrationFactor
ARBITRATION_FACTOR_VALUE: ArbitrationFactor
ARBITRATION_FACTOR_CONTEXT: ArbitrationFactor
ARBITRATION_FACTOR_LEVER: ArbitrationFactor
ARBITRATION_FACTOR_COST: ArbitrationFactor
STANDING_PERIOD_UNSPECIFIED: StandingPeriod
STANDING_PERIOD_MONTH: StandingPeriod
STANDING_PERIOD_QUARTER: StandingPeriod
STANDING_PERIOD_YEAR: StandingPeriod
BUDGET_PERIOD_UNSPECIFIED: BudgetPeriod
BUDGET_PERIOD_TOTAL: BudgetPeriod
BUDGET_PERIOD_DAY: BudgetPeriod
BUDGET_PERIOD_WEEK: BudgetPeriod
BUDGET_PERIOD_MONTH: BudgetPeriod
BUDGET_PACING_UNSPECIFIED: BudgetPacing
BUDGET_PACING_NONE: BudgetPacing
BUDGET_PACING_EVEN: BudgetPacing
COOL_DOWN_SCOPE_UNSPECIFIED: CoolDownScope
COOL_DOWN_SCOPE_CANDIDATE: CoolDownScope
COOL_DOWN_SCOPE_GROUP: CoolDownScope
COOL_DOWN_SCOPE_CHANNEL: CoolDownScope
COOL_DOWN_SCOPE_EVERYTHING: CoolDownScope

class Channel(_message.Message):
    __slots__ = ("channel_id", "description", "outbound", "purposes")
    CHANNEL_ID_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    OUTBOUND_FIELD_NUMBER: _ClassVar[int]
    PURPOSES_FIELD_NUMBER: _ClassVar[int]
    channel_id: str
    description: str
    outbound: bool
    purposes: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, channel_id: _Optional[str] = ..., description: _Optional[str] = ..., outbound: _Optional[bool] = ..., purposes: _Optional[_Iterable[str]] = ...) -> None: ...

class Placement(_message.Message):
    __slots__ = ("placement_id", "description", "subject", "channels", "default_offer_count", "largest_offer_count", "ranking", "task", "arbitration", "exploration", "most_per_category", "fallback_offer_ids", "attribution_window_days")
    PLACEMENT_ID_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_OFFER_COUNT_FIELD_NUMBER: _ClassVar[int]
    LARGEST_OFFER_COUNT_FIELD_NUMBER: _ClassVar[int]
    RANKING_FIELD_NUMBER: _ClassVar[int]
    TASK_FIELD_NUMBER: _ClassVar[int]
    ARBITRATION_FIELD_NUMBER: _ClassVar[int]
    EXPLORATION_FIELD_NUMBER: _ClassVar[int]
    MOST_PER_CATEGORY_FIELD_NUMBER: _ClassVar[int]
    FALLBACK_OFFER_IDS_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTION_WINDOW_DAYS_FIELD_NUMBER: _ClassVar[int]
    placement_id: str
    description: str
    subject: PlacementSubject
    channels: _containers.RepeatedScalarFieldContainer[str]
    default_offer_count: int
    largest_offer_count: int
    ranking: PlacementRanking
    task: PlacementTask
    arbitration: str
    exploration: Exploration
    most_per_category: int
    fallback_offer_ids: _containers.RepeatedScalarFieldContainer[str]
    attribution_window_days: float
    def __init__(self, placement_id: _Optional[str] = ..., description: _Optional[str] = ..., subject: _Optional[_Union[PlacementSubject, str]] = ..., channels: _Optional[_Iterable[str]] = ..., default_offer_count: _Optional[int] = ..., largest_offer_count: _Optional[int] = ..., ranking: _Optional[_Union[PlacementRanking, str]] = ..., task: _Optional[_Union[PlacementTask, str]] = ..., arbitration: _Optional[str] = ..., exploration: _Optional[_Union[Exploration, _Mapping]] = ..., most_per_category: _Optional[int] = ..., fallback_offer_ids: _Optional[_Iterable[str]] = ..., attribution_window_days: _Optional[float] = ...) -> None: ...

class Exploration(_message.Message):
    __slots__ = ("method", "share", "shortlist", "least_probability", "temperature", "cold_places", "mature_after", "cold_share")
    METHOD_FIELD_NUMBER: _ClassVar[int]
    SHARE_FIELD_NUMBER: _ClassVar[int]
    SHORTLIST_FIELD_NUMBER: _ClassVar[int]
    LEAST_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    TEMPERATURE_FIELD_NUMBER: _ClassVar[int]
    COLD_PLACES_FIELD_NUMBER: _ClassVar[int]
    MATURE_AFTER_FIELD_NUMBER: _ClassVar[int]
    COLD_SHARE_FIELD_NUMBER: _ClassVar[int]
    method: ExplorationMethod
    share: float
    shortlist: int
    least_probability: float
    temperature: float
    cold_places: int
    mature_after: int
    cold_share: float
    def __init__(self, method: _Optional[_Union[ExplorationMethod, str]] = ..., share: _Optional[float] = ..., shortlist: _Optional[int] = ..., least_probability: _Optional[float] = ..., temperature: _Optional[float] = ..., cold_places: _Optional[int] = ..., mature_after: _Optional[int] = ..., cold_share: _Optional[float] = ...) -> None: ...

class Arbitration(_message.Message):
    __slots__ = ("arbitration_id", "factors", "context_weights", "default_probability", "default_value", "least_score")
    ARBITRATION_ID_FIELD_NUMBER: _ClassVar[int]
    FACTORS_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_VALUE_FIELD_NUMBER: _ClassVar[int]
    LEAST_SCORE_FIELD_NUMBER: _ClassVar[int]
    arbitration_id: str
    factors: _containers.RepeatedScalarFieldContainer[ArbitrationFactor]
    context_weights: _containers.RepeatedCompositeFieldContainer[ContextWeight]
    default_probability: float
    default_value: _money_pb2.Money
    least_score: float
    def __init__(self, arbitration_id: _Optional[str] = ..., factors: _Optional[_Iterable[_Union[ArbitrationFactor, str]]] = ..., context_weights: _Optional[_Iterable[_Union[ContextWeight, _Mapping]]] = ..., default_probability: _Optional[float] = ..., default_value: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., least_score: _Optional[float] = ...) -> None: ...

class ContextWeight(_message.Message):
    __slots__ = ("rule", "group_ids", "weight")
    RULE_FIELD_NUMBER: _ClassVar[int]
    GROUP_IDS_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    rule: str
    group_ids: _containers.RepeatedScalarFieldContainer[str]
    weight: float
    def __init__(self, rule: _Optional[str] = ..., group_ids: _Optional[_Iterable[str]] = ..., weight: _Optional[float] = ...) -> None: ...

class StandingArms(_message.Message):
    __slots__ = ("period", "traffic_ppm")
    class TrafficPpmEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    PERIOD_FIELD_NUMBER: _ClassVar[int]
    TRAFFIC_PPM_FIELD_NUMBER: _ClassVar[int]
    period: StandingPeriod
    traffic_ppm: _containers.ScalarMap[str, int]
    def __init__(self, period: _Optional[_Union[StandingPeriod, str]] = ..., traffic_ppm: _Optional[_Mapping[str, int]] = ...) -> None: ...

class Cap(_message.Message):
    __slots__ = ("most", "days", "counted_event")
    MOST_FIELD_NUMBER: _ClassVar[int]
    DAYS_FIELD_NUMBER: _ClassVar[int]
    COUNTED_EVENT_FIELD_NUMBER: _ClassVar[int]
    most: int
    days: float
    counted_event: str
    def __init__(self, most: _Optional[int] = ..., days: _Optional[float] = ..., counted_event: _Optional[str] = ...) -> None: ...

class Budget(_message.Message):
    __slots__ = ("money", "units", "period", "pacing", "first_date", "last_date", "hold_days")
    MONEY_FIELD_NUMBER: _ClassVar[int]
    UNITS_FIELD_NUMBER: _ClassVar[int]
    PERIOD_FIELD_NUMBER: _ClassVar[int]
    PACING_FIELD_NUMBER: _ClassVar[int]
    FIRST_DATE_FIELD_NUMBER: _ClassVar[int]
    LAST_DATE_FIELD_NUMBER: _ClassVar[int]
    HOLD_DAYS_FIELD_NUMBER: _ClassVar[int]
    money: _money_pb2.Money
    units: int
    period: BudgetPeriod
    pacing: BudgetPacing
    first_date: _date_pb2.Date
    last_date: _date_pb2.Date
    hold_days: float
    def __init__(self, money: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., units: _Optional[int] = ..., period: _Optional[_Union[BudgetPeriod, str]] = ..., pacing: _Optional[_Union[BudgetPacing, str]] = ..., first_date: _Optional[_Union[_date_pb2.Date, _Mapping]] = ..., last_date: _Optional[_Union[_date_pb2.Date, _Mapping]] = ..., hold_days: _Optional[float] = ...) -> None: ...

class ContactPolicy(_message.Message):
    __slots__ = ("policy_id", "channels", "most", "days")
    POLICY_ID_FIELD_NUMBER: _ClassVar[int]
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    MOST_FIELD_NUMBER: _ClassVar[int]
    DAYS_FIELD_NUMBER: _ClassVar[int]
    policy_id: str
    channels: _containers.RepeatedScalarFieldContainer[str]
    most: int
    days: float
    def __init__(self, policy_id: _Optional[str] = ..., channels: _Optional[_Iterable[str]] = ..., most: _Optional[int] = ..., days: _Optional[float] = ...) -> None: ...

class QuietHours(_message.Message):
    __slots__ = ("start", "end", "channels")
    START_FIELD_NUMBER: _ClassVar[int]
    END_FIELD_NUMBER: _ClassVar[int]
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    start: str
    end: str
    channels: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, start: _Optional[str] = ..., end: _Optional[str] = ..., channels: _Optional[_Iterable[str]] = ...) -> None: ...

class CoolDown(_message.Message):
    __slots__ = ("outcome_types", "days", "scope")
    OUTCOME_TYPES_FIELD_NUMBER: _ClassVar[int]
    DAYS_FIELD_NUMBER: _ClassVar[int]
    SCOPE_FIELD_NUMBER: _ClassVar[int]
    outcome_types: _containers.RepeatedScalarFieldContainer[str]
    days: float
    scope: CoolDownScope
    def __init__(self, outcome_types: _Optional[_Iterable[str]] = ..., days: _Optional[float] = ..., scope: _Optional[_Union[CoolDownScope, str]] = ...) -> None: ...
