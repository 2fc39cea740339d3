from google.api import field_behavior_pb2 as _field_behavior_pb2
from google.type import date_pb2 as _date_pb2
from google.type import money_pb2 as _money_pb2
from troth.v1 import assignment_pb2 as _assignment_pb2
from troth.v1 import catalog_policy_pb2 as _catalog_policy_pb2
from troth.v1 import experiment_pb2 as _experiment_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class OfferKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OFFER_KIND_UNSPECIFIED: _ClassVar[OfferKind]
    OFFER_KIND_COUPON: _ClassVar[OfferKind]
    OFFER_KIND_DISCOUNT: _ClassVar[OfferKind]
    OFFER_KIND_POINTS_MULTIPLIER: _ClassVar[OfferKind]
    OFFER_KIND_PERK: _ClassVar[OfferKind]
    OFFER_KIND_PRODUCT: _ClassVar[OfferKind]

class ActionKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ACTION_KIND_UNSPECIFIED: _ClassVar[ActionKind]
    ACTION_KIND_WELCOME: _ClassVar[ActionKind]
    ACTION_KIND_CARE: _ClassVar[ActionKind]
    ACTION_KIND_CROSS_SELL: _ClassVar[ActionKind]
    ACTION_KIND_TIER_NUDGE: _ClassVar[ActionKind]
    ACTION_KIND_POINTS_EXPIRY_REMINDER: _ClassVar[ActionKind]
    ACTION_KIND_WIN_BACK: _ClassVar[ActionKind]
    ACTION_KIND_REFERRAL: _ClassVar[ActionKind]
    ACTION_KIND_REVIEW_REQUEST: _ClassVar[ActionKind]
    ACTION_KIND_SURVEY: _ClassVar[ActionKind]
    ACTION_KIND_NO_ACTION: _ClassVar[ActionKind]
OFFER_KIND_UNSPECIFIED: OfferKind
OFFER_KIND_COUPON: OfferKind
OFFER_KIND_DISCOUNT: OfferKind
OFFER_KIND_POINTS_MULTIPLIER: OfferKind
OFFER_KIND_PERK: OfferKind
OFFER_KIND_PRODUCT: OfferKind
ACTION_KIND_UNSPECIFIED: ActionKind
ACTION_KIND_WELCOME: ActionKind
ACTION_KIND_CARE: ActionKind
ACTION_KIND_CROSS_SELL: ActionKind
ACTION_KIND_TIER_NUDGE: ActionKind
ACTION_KIND_POINTS_EXPIRY_REMINDER: ActionKind
ACTION_KIND_WIN_BACK: ActionKind
ACTION_KIND_REFERRAL: ActionKind
ACTION_KIND_REVIEW_REQUEST: ActionKind
ACTION_KIND_SURVEY: ActionKind
ACTION_KIND_NO_ACTION: ActionKind

class Catalogue(_message.Message):
    __slots__ = ("programme", "time_zone", "note", "currency_code", "attributes", "channels", "placements", "groups", "segments", "contact_policies", "quiet_hours", "cool_downs", "arbitrations", "standing_arms", "offers", "actions")
    class AttributesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _experiment_pb2.AttributeType
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_experiment_pb2.AttributeType, str]] = ...) -> None: ...
    PROGRAMME_FIELD_NUMBER: _ClassVar[int]
    TIME_ZONE_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_CODE_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    PLACEMENTS_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    SEGMENTS_FIELD_NUMBER: _ClassVar[int]
    CONTACT_POLICIES_FIELD_NUMBER: _ClassVar[int]
    QUIET_HOURS_FIELD_NUMBER: _ClassVar[int]
    COOL_DOWNS_FIELD_NUMBER: _ClassVar[int]
    ARBITRATIONS_FIELD_NUMBER: _ClassVar[int]
    STANDING_ARMS_FIELD_NUMBER: _ClassVar[int]
    OFFERS_FIELD_NUMBER: _ClassVar[int]
    ACTIONS_FIELD_NUMBER: _ClassVar[int]
    programme: str
    time_zone: str
    note: str
    currency_code: str
    attributes: _containers.ScalarMap[str, _experiment_pb2.AttributeType]
    channels: _containers.RepeatedCompositeFieldContainer[_catalog_policy_pb2.Channel]
    placements: _containers.RepeatedCompositeFieldContainer[_catalog_policy_pb2.Placement]
    groups: _containers.RepeatedCompositeFieldContainer[CandidateGroup]
    segments: _containers.RepeatedCompositeFieldContainer[Segment]
    contact_policies: _containers.RepeatedCompositeFieldContainer[_catalog_policy_pb2.ContactPolicy]
    quiet_hours: _containers.RepeatedCompositeFieldContainer[_catalog_policy_pb2.QuietHours]
    cool_downs: _containers.RepeatedCompositeFieldContainer[_catalog_policy_pb2.CoolDown]
    arbitrations: _containers.RepeatedCompositeFieldContainer[_catalog_policy_pb2.Arbitration]
    standing_arms: _catalog_policy_pb2.StandingArms
    offers: _containers.RepeatedCompositeFieldContainer[Offer]
    actions: _containers.RepeatedCompositeFieldContainer[Action]
    def __init__(self, programme: _Optional[str] = ..., time_zone: _Optional[str] = ..., note: _Optional[str] = ..., currency_code: _Optional[str] = ..., attributes: _Optional[_Mapping[str, _experiment_pb2.AttributeType]] = ..., channels: _Optional[_Iterable[_Union[_catalog_policy_pb2.Channel, _Mapping]]] = ..., placements: _Optional[_Iterable[_Union[_catalog_policy_pb2.Placement, _Mapping]]] = ..., groups: _Optional[_Iterable[_Union[CandidateGroup, _Mapping]]] = ..., segments: _Optional[_Iterable[_Union[Segment, _Mapping]]] = ..., contact_policies: _Optional[_Iterable[_Union[_catalog_policy_pb2.ContactPolicy, _Mapping]]] = ..., quiet_hours: _Optional[_Iterable[_Union[_catalog_policy_pb2.QuietHours, _Mapping]]] = ..., cool_downs: _Optional[_Iterable[_Union[_catalog_policy_pb2.CoolDown, _Mapping]]] = ..., arbitrations: _Optional[_Iterable[_Union[_catalog_policy_pb2.Arbitration, _Mapping]]] = ..., standing_arms: _Optional[_Union[_catalog_policy_pb2.StandingArms, _Mapping]] = ..., offers: _Optional[_Iterable[_Union[Offer, _Mapping]]] = ..., actions: _Optional[_Iterable[_Union[Action, _Mapping]]] = ...) -> None: ...

class Segment(_message.Message):
    __slots__ = ("segment_id", "description", "rule")
    SEGMENT_ID_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    segment_id: str
    description: str
    rule: str
    def __init__(self, segment_id: _Optional[str] = ..., description: _Optional[str] = ..., rule: _Optional[str] = ...) -> None: ...

class CandidateGroup(_message.Message):
    __slots__ = ("group_id", "parent_id", "description", "eligible", "applicable", "suitable", "purposes", "caps", "budgets", "lever")
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    PARENT_ID_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    ELIGIBLE_FIELD_NUMBER: _ClassVar[int]
    APPLICABLE_FIELD_NUMBER: _ClassVar[int]
    SUITABLE_FIELD_NUMBER: _ClassVar[int]
    PURPOSES_FIELD_NUMBER: _ClassVar[int]
    CAPS_FIELD_NUMBER: _ClassVar[int]
    BUDGETS_FIELD_NUMBER: _ClassVar[int]
    LEVER_FIELD_NUMBER: _ClassVar[int]
    group_id: str
    parent_id: str
    description: str
    eligible: str
    applicable: str
    suitable: str
    purposes: _containers.RepeatedScalarFieldContainer[str]
    caps: _containers.RepeatedCompositeFieldContainer[_catalog_policy_pb2.Cap]
    budgets: _containers.RepeatedCompositeFieldContainer[_catalog_policy_pb2.Budget]
    lever: float
    def __init__(self, group_id: _Optional[str] = ..., parent_id: _Optional[str] = ..., description: _Optional[str] = ..., eligible: _Optional[str] = ..., applicable: _Optional[str] = ..., suitable: _Optional[str] = ..., purposes: _Optional[_Iterable[str]] = ..., caps: _Optional[_Iterable[_Union[_catalog_policy_pb2.Cap, _Mapping]]] = ..., budgets: _Optional[_Iterable[_Union[_catalog_policy_pb2.Budget, _Mapping]]] = ..., lever: _Optional[float] = ...) -> None: ...

class Offer(_message.Message):
    __slots__ = ("offer_id", "kind", "title", "description", "group_id", "category", "start_date", "end_date", "channels", "placements", "eligible", "applicable", "suitable", "purposes", "caps", "budgets", "lever", "value", "cost", "response_cost", "points_liability", "inventory", "prior_probability", "prior_evidence", "creative", "attributes", "discount")
    class AttributesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _assignment_pb2.ParameterValue
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_assignment_pb2.ParameterValue, _Mapping]] = ...) -> None: ...
    OFFER_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    START_DATE_FIELD_NUMBER: _ClassVar[int]
    END_DATE_FIELD_NUMBER: _ClassVar[int]
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    PLACEMENTS_FIELD_NUMBER: _ClassVar[int]
    ELIGIBLE_FIELD_NUMBER: _ClassVar[int]
    APPLICABLE_FIELD_NUMBER: _ClassVar[int]
    SUITABLE_FIELD_NUMBER: _ClassVar[int]
    PURPOSES_FIELD_NUMBER: _ClassVar[int]
    CAPS_FIELD_NUMBER: _ClassVar[int]
    BUDGETS_FIELD_NUMBER: _ClassVar[int]
    LEVER_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    COST_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_COST_FIELD_NUMBER: _ClassVar[int]
    POINTS_LIABILITY_FIELD_NUMBER: _ClassVar[int]
    INVENTORY_FIELD_NUMBER: _ClassVar[int]
    PRIOR_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    PRIOR_EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    CREATIVE_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    DISCOUNT_FIELD_NUMBER: _ClassVar[int]
    offer_id: str
    kind: OfferKind
    title: str
    description: str
    group_id: str
    category: str
    start_date: _date_pb2.Date
    end_date: _date_pb2.Date
    channels: _containers.RepeatedScalarFieldContainer[str]
    placements: _containers.RepeatedScalarFieldContainer[str]
    eligible: str
    applicable: str
    suitable: str
    purposes: _containers.RepeatedScalarFieldContainer[str]
    caps: _containers.RepeatedCompositeFieldContainer[_catalog_policy_pb2.Cap]
    budgets: _containers.RepeatedCompositeFieldContainer[_catalog_policy_pb2.Budget]
    lever: float
    value: _money_pb2.Money
    cost: _money_pb2.Money
    response_cost: _money_pb2.Money
    points_liability: _money_pb2.Money
    inventory: int
    prior_probability: float
    prior_evidence: float
    creative: str
    attributes: _containers.MessageMap[str, _assignment_pb2.ParameterValue]
    discount: _money_pb2.Money
    def __init__(self, offer_id: _Optional[str] = ..., kind: _Optional[_Union[OfferKind, str]] = ..., title: _Optional[str] = ..., description: _Optional[str] = ..., group_id: _Optional[str] = ..., category: _Optional[str] = ..., start_date: _Optional[_Union[_date_pb2.Date, _Mapping]] = ..., end_date: _Optional[_Union[_date_pb2.Date, _Mapping]] = ..., channels: _Optional[_Iterable[str]] = ..., placements: _Optional[_Iterable[str]] = ..., eligible: _Optional[str] = ..., applicable: _Optional[str] = ..., suitable: _Optional[str] = ..., purposes: _Optional[_Iterable[str]] = ..., caps: _Optional[_Iterable[_Union[_catalog_policy_pb2.Cap, _Mapping]]] = ..., budgets: _Optional[_Iterable[_Union[_catalog_policy_pb2.Budget, _Mapping]]] = ..., lever: _Optional[float] = ..., value: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., cost: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., response_cost: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., points_liability: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., inventory: _Optional[int] = ..., prior_probability: _Optional[float] = ..., prior_evidence: _Optional[float] = ..., creative: _Optional[str] = ..., attributes: _Optional[_Mapping[str, _assignment_pb2.ParameterValue]] = ..., discount: _Optional[_Union[_money_pb2.Money, _Mapping]] = ...) -> None: ...

class Action(_message.Message):
    __slots__ = ("action_id", "kind", "title", "description", "group_id", "category", "start_date", "end_date", "channels", "placements", "eligible", "applicable", "suitable", "purposes", "caps", "budgets", "lever", "value", "cost", "response_cost", "points_liability", "inventory", "prior_probability", "prior_evidence", "creative", "attributes")
    class AttributesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _assignment_pb2.ParameterValue
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_assignment_pb2.ParameterValue, _Mapping]] = ...) -> None: ...
    ACTION_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    START_DATE_FIELD_NUMBER: _ClassVar[int]
    END_DATE_FIELD_NUMBER: _ClassVar[int]
    CHANNELS_FIELD_NUMBER: _ClassVar[int]
    PLACEMENTS_FIELD_NUMBER: _ClassVar[int]
    ELIGIBLE_FIELD_NUMBER: _ClassVar[int]
    APPLICABLE_FIELD_NUMBER: _ClassVar[int]
    SUITABLE_FIELD_NUMBER: _ClassVar[int]
    PURPOSES_FIELD_NUMBER: _ClassVar[int]
    CAPS_FIELD_NUMBER: _ClassVar[int]
    BUDGETS_FIELD_NUMBER: _ClassVar[int]
    LEVER_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    COST_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_COST_FIELD_NUMBER: _ClassVar[int]
    POINTS_LIABILITY_FIELD_NUMBER: _ClassVar[int]
    INVENTORY_FIELD_NUMBER: _ClassVar[int]
    PRIOR_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    PRIOR_EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    CREATIVE_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    action_id: str
    kind: ActionKind
    title: str
    description: str
    group_id: str
    category: str
    start_date: _date_pb2.Date
    end_date: _date_pb2.Date
    channels: _containers.RepeatedScalarFieldContainer[str]
    placements: _containers.RepeatedScalarFieldContainer[str]
    eligible: str
    applicable: str
    suitable: str
    purposes: _containers.RepeatedScalarFieldContainer[str]
    caps: _containers.RepeatedCompositeFieldContainer[_catalog_policy_pb2.Cap]
    budgets: _containers.RepeatedCompositeFieldContainer[_catalog_policy_pb2.Budget]
    lever: float
    value: _money_pb2.Money
    cost: _money_pb2.Money
    response_cost: _money_pb2.Money
    points_liability: _money_pb2.Money
    inventory: int
    prior_probability: float
    prior_evidence: float
    creative: str
    attributes: _containers.MessageMap[str, _assignment_pb2.ParameterValue]
    def __init__(self, action_id: _Optional[str] = ..., kind: _Optional[_Union[ActionKind, str]] = ..., title: _Optional[str] = ..., description: _Optional[str] = ..., group_id: _Optional[str] = ..., category: _Optional[str] = ..., start_date: _Optional[_Union[_date_pb2.Date, _Mapping]] = ..., end_date: _Optional[_Union[_date_pb2.Date, _Mapping]] = ..., channels: _Optional[_Iterable[str]] = ..., placements: _Optional[_Iterable[str]] = ..., eligible: _Optional[str] = ..., applicable: _Optional[str] = ..., suitable: _Optional[str] = ..., purposes: _Optional[_Iterable[str]] = ..., caps: _Optional[_Iterable[_Union[_catalog_policy_pb2.Cap, _Mapping]]] = ..., budgets: _Optional[_Iterable[_Union[_catalog_policy_pb2.Budget, _Mapping]]] = ..., lever: _Optional[float] = ..., value: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., cost: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., response_cost: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., points_liability: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., inventory: _Optional[int] = ..., prior_probability: _Optional[float] = ..., prior_evidence: _Optional[float] = ..., creative: _Optional[str] = ..., attributes: _Optional[_Mapping[str, _assignment_pb2.ParameterValue]] = ...) -> None: ...
