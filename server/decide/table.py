"""What can be chosen at one placement on one day, as columns: catalogue and model joined once, read by every decision."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

import numpy as np
import numpy.typing as npt

from server.catalogue import NO_ACTION, Action, Candidate, Catalogue, Money, Offer, Placement
from server.decide.context import Evidence
from server.decide.gates import Gate
from server.decide.rules import RuleBook
from training.bundle import Bundle, Task

_MAX_KEPT = 64

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ChannelPattern:
    """How some rows of a table travel and what for, which consent and contact policy ask about.

    Attributes:
        channel_id: The channel; empty where none matters.
        purposes: What the member must have consented to on it.
    """

    channel_id: str
    purposes: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class CandidateTable:
    """The candidates of a placement on a day, one row for each; actions have one for each of their channels.

    Attributes:
        placement: Where.
        candidates: Of each row, in the order that breaks ties.
        channel_ids: Of each row.
        columns: int64[n], the row's column in the model; -1 where the model does not know it.
        all_known: Whether the model knows every row.
        popularity: float32[n], its popular score; that of an offer which the model does not know is 0 or, if it is lower,
            the lowest of the others. 0 without a model.
        kinds: int64[n], rows of one kind pass the same tests on the same way.
        chains: int64[kinds, k], the tests of a kind, filled up with the place after the last test.
        channels: The channels that rows travel by, for which tests are asked.
        channel_of_kind: int64[kinds], which of them.
        ways: The ways that rows travel.
        way_of_kind: int64[kinds], which of them.
        values: float64[n], what a response earns less what it costs; NaN where the catalogue gives no value.
        costs: float64[n], what giving it costs.
        levers: float64[n], its lever times those of its groups.
        priors: float64[n], prior probability; NaN where the catalogue gives none.
        prior_evidence: float64[n], decisions that the prior counts for.
        categories: int64[n].
        fallback: Rows that fill an answer, in this order, and take no part otherwise.
        places: Rows of each candidate.
        group_places: Rows of each group and of the groups in it.
        outside: The candidates that have no row here, each with its gate.
        kept: What was worked out from the table, by what it is; a race does no worse than to work it out twice.
        patterns: Likewise, what gates make of its rows, by what tests and ways say.
    """

    placement: Placement
    candidates: tuple[Candidate, ...]
    channel_ids: tuple[str, ...]
    columns: Places
    all_known: bool
    popularity: npt.NDArray[np.float32]
    kinds: Places
    chains: Places
    channels: tuple[str, ...]
    channel_of_kind: Places
    ways: tuple[ChannelPattern, ...]
    way_of_kind: Places
    values: Floats
    costs: Floats
    levers: Floats
    priors: Floats
    prior_evidence: Floats
    categories: Places
    fallback: tuple[int, ...]
    places: Mapping[str, tuple[int, ...]]
    group_places: Mapping[str, Places]
    outside: Mapping[str, Gate]
    kept: dict[object, object] = field(default_factory=dict, repr=False)
    patterns: dict[object, object] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.candidates)

    def of_nothing(self, places: Places) -> npt.NDArray[np.bool_]:
        """Return bool[n]: which of these rows is *no action*, which is always possible and earns nothing."""
        row = self.places.get(NO_ACTION)
        return np.zeros(len(places), dtype=np.bool_) if row is None else places == row[0]


def fill_unknown(known: npt.NDArray[np.bool_], values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return float32[known], the values where the model knows the offer.

    An offer that the model does not know gets 0 or, if that is lower, the lowest of the values: nothing speaks for it, so
    it never stands above an offer for which something does, whether scores are counts, probabilities or below 0.
    """
    if known.all():
        return values
    filled = np.full(len(known), min(0.0, float(values.min(initial=0.0))), dtype=np.float32)
    filled[known] = values
    return filled


class TableCache:
    """Makes the tables of a catalogue and its models, and keeps them. Safe to share between threads.

    Args:
        catalogue: Checked.
        book: Its rules.
        bundles: The model of each task that has one.
    """

    def __init__(self, catalogue: Catalogue, book: RuleBook, bundles: Mapping[Task, Bundle]) -> None:
        self._catalogue = catalogue
        self._book = book
        self._bundles = bundles
        self._kept: dict[tuple[str, str, date], CandidateTable] = {}

    def on(self, placement: Placement, channel_id: str, day: date) -> CandidateTable:
        """Return the table of a placement on a local day.

        Args:
            placement: Where.
            channel_id: How the answer travels; not asked where actions are chosen.
            day: In the catalogue's time zone.
        """
        key = (placement.placement_id, channel_id, day)
        kept = self._kept.get(key)
        if kept is None:
            kept = self._make(placement, channel_id, day)
            if len(self._kept) >= _MAX_KEPT:
                self._kept = {}
            self._kept[key] = kept
        return kept

    def _make(self, placement: Placement, channel_id: str, day: date) -> CandidateTable:
        rows: list[tuple[Candidate, str]]
        if placement.decides == "actions":
            rows, outside = self._action_rows(placement, day)
            bundle = None
        else:
            rows, outside = self._offer_rows(placement, channel_id, day)
            bundle = self._bundles.get(placement.task)
        candidates = tuple(candidate for candidate, _ in rows)
        ids = [candidate.candidate_id for candidate in candidates]
        columns = np.full(len(rows), -1, dtype=np.int64)
        popularity = np.zeros(len(rows), dtype=np.float32)
        if bundle is not None:
            columns = np.array([bundle.offer_index.get(one, -1) for one in ids], dtype=np.int64)
            known = columns >= 0
            popularity = fill_unknown(known, bundle.model.popular_scores[columns[known]])
        kinds, chains, kind_ways = self._kinds(rows)
        channels = tuple(dict.fromkeys(way.channel_id for way in kind_ways))
        ways = tuple(dict.fromkeys(kind_ways))
        places: dict[str, list[int]] = defaultdict(list)
        for place, candidate_id in enumerate(ids):
            places[candidate_id].append(place)
        return CandidateTable(
            placement=placement,
            candidates=candidates,
            channel_ids=tuple(channel for _, channel in rows),
            columns=columns,
            all_known=bool((columns >= 0).all()),
            popularity=popularity,
            kinds=kinds,
            chains=chains,
            channels=channels,
            channel_of_kind=_numbers(channels.index(way.channel_id) for way in kind_ways),
            ways=ways,
            way_of_kind=_numbers(ways.index(way) for way in kind_ways),
            values=_column(candidates, _net_value),
            costs=_column(candidates, lambda one: _number(one.cost)),
            levers=_column(candidates, self._lever),
            priors=_column(
                candidates, lambda one: np.nan if one.prior_probability is None else one.prior_probability
            ),
            prior_evidence=_column(candidates, lambda one: one.prior_evidence),
            categories=_numbered(one.category or one.group_id or one.candidate_id for one in candidates),
            fallback=tuple(places[one][0] for one in placement.fallback_offer_ids if one in places),
            places={candidate_id: tuple(found) for candidate_id, found in places.items()},
            group_places=self._group_places(candidates),
            outside=outside,
        )

    def _offer_rows(
        self, placement: Placement, channel_id: str, day: date
    ) -> tuple[list[tuple[Candidate, str]], dict[str, Gate]]:
        rows: list[tuple[Candidate, str]] = []
        outside: dict[str, Gate] = {}
        for offer in self._catalogue.offers:
            here = _named(offer.placements, placement.placement_id) and (
                not channel_id or _named(offer.channels, channel_id)
            )
            if not here:
                outside[offer.offer_id] = Gate.NOT_HERE
            elif not offer.valid_from <= day <= offer.valid_until:
                outside[offer.offer_id] = Gate.NOT_VALID
            else:
                rows.append((offer, channel_id))
        return rows, outside

    def _action_rows(
        self, placement: Placement, day: date
    ) -> tuple[list[tuple[Candidate, str]], dict[str, Gate]]:
        # No action stands first, so that what is worth no more than nothing is not done.
        rows: list[tuple[Candidate, str]] = [
            (Action(action_id=NO_ACTION, kind=NO_ACTION, prior_probability=0.0), "")
        ]
        outside: dict[str, Gate] = {}
        for action in self._catalogue.actions:
            ways = [one for one in placement.channels or ("",) if not one or _named(action.channels, one)]
            if action.kind == NO_ACTION:
                continue
            if not ways or not _named(action.placements, placement.placement_id):
                outside[action.action_id] = Gate.NOT_HERE
            elif not action.valid_from <= day <= action.valid_until:
                outside[action.action_id] = Gate.NOT_VALID
            else:
                rows.extend((action, one) for one in ways)
        return rows, outside

    def _kinds(
        self, rows: Sequence[tuple[Candidate, str]]
    ) -> tuple[Places, Places, tuple[ChannelPattern, ...]]:
        numbers: dict[tuple[tuple[int, ...], ChannelPattern], int] = {}
        kinds = np.empty(len(rows), dtype=np.int64)
        for place, (candidate, channel_id) in enumerate(rows):
            chain: tuple[int, ...] = ()
            way = ChannelPattern("", ())
            if candidate.candidate_id != NO_ACTION:
                chain, way = self._book.chain(candidate.candidate_id), self._way(candidate, channel_id)
            kinds[place] = numbers.setdefault((chain, way), len(numbers))
        longest = max((len(chain) for chain, _ in numbers), default=0)
        chains = np.full((len(numbers), longest), len(self._book.tests), dtype=np.int64)
        for (chain, _), number in numbers.items():
            chains[number, : len(chain)] = chain
        return kinds, chains, tuple(way for _, way in numbers)

    def _way(self, candidate: Candidate, channel_id: str) -> ChannelPattern:
        channel = self._catalogue.channels_by_id.get(channel_id)
        purposes = set(candidate.purposes)
        for group in self._catalogue.lineage(candidate.group_id):
            purposes.update(group.purposes)
        if channel is not None:
            purposes.update(channel.purposes)
        return ChannelPattern(channel_id, tuple(sorted(purposes)))

    def _lever(self, candidate: Candidate) -> float:
        lever = candidate.lever
        for group in self._catalogue.lineage(candidate.group_id):
            lever *= group.lever
        return lever

    def _group_places(self, candidates: Sequence[Candidate]) -> dict[str, Places]:
        found: dict[str, list[int]] = defaultdict(list)
        for place, candidate in enumerate(candidates):
            for group in self._catalogue.lineage(candidate.group_id):
                found[group.group_id].append(place)
        return {group_id: np.array(places, dtype=np.int64) for group_id, places in found.items()}


def _named(names: Sequence[str], name: str) -> bool:
    return not names or name in names


def _number(money: Money | None) -> float:
    return 0.0 if money is None else float(money.amount)


def _net_value(candidate: Candidate) -> float:
    if candidate.value is None:
        return float("nan")
    return float(candidate.value.amount - response_cost(candidate))


def response_cost(candidate: Candidate) -> Decimal:
    """Return what a response costs, points included; the discount stands in where an offer names no cost."""
    named = candidate.response_cost
    if named is None and isinstance(candidate, Offer):
        named = candidate.discount
    return sum((one.amount for one in (named, candidate.points_liability) if one is not None), Decimal(0))


def _column(candidates: Sequence[Candidate], of: Callable[[Candidate], float]) -> Floats:
    return np.array([of(one) for one in candidates], dtype=np.float64)


def _numbers(values: Iterable[int]) -> Places:
    return np.array(list(values), dtype=np.int64)


def _numbered(names: Iterable[str]) -> Places:
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(name, len(numbers)) for name in names], dtype=np.int64)


def evidence_by_row(table: CandidateTable, evidence: Evidence) -> tuple[Floats, Floats]:
    """Return decisions and responses of each row, float64[rows]; computed once for each table and state of the evidence."""
    kept = table.kept.get("evidence")
    if isinstance(kept, tuple) and kept[0] == evidence.state_id:
        return kept[1], kept[2]
    pairs = [evidence.counts.get(one.candidate_id, (0, 0)) for one in table.candidates]
    columns = np.array(pairs, dtype=np.float64).reshape(-1, 2)
    given, answered = columns[:, 0].copy(), columns[:, 1].copy()
    table.kept["evidence"] = (evidence.state_id, given, answered)
    return given, answered
