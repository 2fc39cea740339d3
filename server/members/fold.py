"""Many events of a member folded at once: the state that they would make one by one, in less time."""

import sys
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from server.catalogue.limits import DECISION, MOST_COUNTED
from server.members.profile import MemberProfile
from server.members.state import MOST_TRIPS, PURCHASE, Key, MemberState, Tally, Trip


class Fold:
    """Gathers the events of one member, in any order."""

    def __init__(self) -> None:
        self._by_event: defaultdict[str, list[int]] = defaultdict(list)
        self._by_candidate: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
        self._by_channel: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
        self._products: defaultdict[int, set[str]] = defaultdict(set)

    def decision(self, micros: int, channel_ids: Iterable[str], candidate_ids: Sequence[str]) -> None:
        """Add a decision; see ``MemberState.after_decision``."""
        if candidate_ids:
            self._by_event[DECISION].append(micros)
            for candidate_id in candidate_ids:
                self._by_candidate[DECISION, candidate_id].append(micros)
            for channel_id in channel_ids:
                self._by_channel[DECISION, channel_id].append(micros)

    def outcome(
        self, micros: int, event: str, candidate_id: str, channel_id: str, product_ids: Sequence[str]
    ) -> None:
        """Add an outcome; see ``MemberState.after_outcome``."""
        self._by_event[event].append(micros)
        if candidate_id:
            self._by_candidate[event, candidate_id].append(micros)
        if channel_id:
            self._by_channel[event, channel_id].append(micros)
        if event == PURCHASE and product_ids:
            self._products[micros].update(map(sys.intern, product_ids))

    def state(self, member_id: str, version: int, profile: MemberProfile) -> MemberState:
        """Return the state after all of them."""
        return MemberState(
            member_id=member_id,
            version=version,
            profile=profile,
            trips=tuple(
                Trip(micros, tuple(sorted(self._products[micros])))
                for micros in sorted(self._products)[-MOST_TRIPS:]
            ),
            by_event=_tallies(self._by_event),
            by_candidate=_tallies(self._by_candidate),
            by_channel=_tallies(self._by_channel),
        )


def _tallies(times: Mapping[Key, list[int]]) -> dict[Key, Tally]:
    return {key: Tally(len(every), tuple(sorted(every)[-MOST_COUNTED:])) for key, every in times.items()}
