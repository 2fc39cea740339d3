"""The rules of a catalogue, compiled once, and what they say of a member: worked out when they change, then kept."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from experiments.rules import Rule
from server.catalogue import MOMENT_ATTRIBUTES, Candidate, Catalogue, Limited
from server.catalogue.rules import SEGMENTS, compiled, rule_attributes, segment_attributes
from server.decide.context import DecisionContext
from server.decide.gates import QUESTIONS, Gate

CHANNEL = "channel"
"""The attribute that names the channel of a candidate."""
_MAX_KEPT = 20_000

Codes = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Test:
    """One rule under one of the three questions.

    Attributes:
        rule: The rule.
        no: The gate that it closes by saying no.
        error: The gate that it closes where it cannot tell.
        momentary: Whether it asks about the moment, so that what it says cannot be kept.
    """

    rule: Rule
    no: Gate
    error: Gate
    momentary: bool


@dataclass(frozen=True, slots=True)
class _Kept:
    seen: tuple[object, ...]
    segments: tuple[str, ...]
    codes: Codes


class RuleBook:
    """All rules of a catalogue. Safe to share between threads.

    Args:
        catalogue: Checked.

    Attributes:
        tests: Every rule under every question that asks it.
        segments: The rule of each segment, by its id.
        weights: The context weights of each arbitration, with their rules.

    Raises:
        RuleError: A rule is not a rule over the catalogue's attributes.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._types = rule_attributes(catalogue)
        segment_types = segment_attributes(catalogue)
        self._places: dict[tuple[str, Gate], int] = {}
        self.tests: list[Test] = []
        self.segments = tuple(
            (one.segment_id, compiled(one.rule, segment_types)) for one in catalogue.segments
        )
        self._chains = {one.candidate_id: self._chain(one) for one in catalogue.candidates_by_id.values()}
        self.weights = {
            one.arbitration_id: tuple(
                (weight, compiled(weight.rule, self._types)) for weight in one.context_weights
            )
            for one in catalogue.arbitrations
        }
        self._momentary = [place for place, test in enumerate(self.tests) if test.momentary]
        self._lasting = [place for place, test in enumerate(self.tests) if not test.momentary]
        self._asked = frozenset[str]().union(
            *(test.rule.attributes for test in self.tests), *(rule.attributes for _, rule in self.segments)
        )
        self._kept: dict[str, _Kept] = {}
        self._keeping = threading.Lock()

    def chain(self, candidate_id: str) -> tuple[int, ...]:
        """Return the places of the tests that a candidate must pass, in the order in which they are asked."""
        return self._chains[candidate_id]

    def codes(
        self, context: DecisionContext, attributes: Mapping[str, object], channels: Sequence[str]
    ) -> tuple[Codes, tuple[str, ...]]:
        """Return what every test says of each channel, and the segments that the member is in.

        Args:
            context: The decision.
            attributes: What rules may ask about, without segments and channel.
            channels: The channels to ask for; an empty one is missing to rules.

        Returns:
            uint8[channels, tests], the gate that each test closes or 0; segment ids.
        """
        if not self.tests and not self.segments:
            return np.zeros((len(channels), 0), dtype=np.uint8), ()
        kept = self._of(context, attributes)
        if not self._momentary:
            return np.broadcast_to(kept.codes, (len(channels), len(self.tests))), kept.segments
        codes = np.tile(kept.codes, (len(channels), 1))
        for row, channel_id in enumerate(channels):
            asked = {**attributes, SEGMENTS: kept.segments, **({CHANNEL: channel_id} if channel_id else {})}
            self._ask(self._momentary, asked, codes[row])
        return codes, kept.segments

    def _of(self, context: DecisionContext, attributes: Mapping[str, object]) -> _Kept:
        state = context.state
        # What the request says may differ from call to call.
        keeps = self._asked.isdisjoint(context.attributes)
        seen = (state.profile, attributes["purchase_count"], attributes["redemption_count"])
        if keeps:
            kept = self._kept.get(state.member_id)
            if kept is not None and kept.seen[0] is seen[0] and kept.seen[1:] == seen[1:]:
                return kept
        segments = tuple(name for name, rule in self.segments if rule.truth(attributes) is True)
        codes = np.zeros(len(self.tests), dtype=np.uint8)
        self._ask(self._lasting, {**attributes, SEGMENTS: segments}, codes)
        kept = _Kept(seen, segments, codes)
        if keeps:
            with self._keeping:
                self._kept[state.member_id] = kept
                if len(self._kept) > _MAX_KEPT:
                    del self._kept[next(iter(self._kept))]
        return kept

    def _ask(self, places: Sequence[int], attributes: Mapping[str, object], codes: Codes) -> None:
        for place in places:
            test = self.tests[place]
            truth = test.rule.truth(attributes)
            if truth is not True:
                codes[place] = test.error if truth is None else test.no

    def _chain(self, candidate: Candidate) -> tuple[int, ...]:
        holders: tuple[Limited, ...] = (candidate, *self._catalogue.lineage(candidate.group_id))
        texts = (
            (getattr(holder, question), no, error)
            for question, no, error in QUESTIONS
            for holder in reversed(holders)
        )
        return tuple(dict.fromkeys(self._place(text, no, error) for text, no, error in texts if text))

    def _place(self, text: str, no: Gate, error: Gate) -> int:
        place = self._places.get((text, no))
        if place is None:
            rule = compiled(text, self._types)
            place = self._places[text, no] = len(self.tests)
            momentary = not rule.attributes.isdisjoint(MOMENT_ATTRIBUTES)
            self.tests.append(Test(rule, no, error, momentary))
        return place
