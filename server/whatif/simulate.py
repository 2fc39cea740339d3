"""Simulation before launch: a revision and what is in force today answer the same requests, and are compared."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from experiments.log.events import to_micros
from server.catalogue import Catalogue
from server.decide.snapshot import Snapshot
from server.members import MemberProfile
from server.whatif.ledger import EvidenceBefore
from server.whatif.log import LogReads, StartStates
from server.whatif.opening import Opened
from server.whatif.requests import (
    SimulatedRequest,
    SimulationError,
    daily_requests,
    in_order,
    read_table,
    table_profiles,
    table_requests,
)
from server.whatif.run import Run, Setting, run
from server.whatif.summary import Summary, summarise
from server.whatif.tally import OfMember

EVERYBODY, SEGMENT, TIER = "everybody", "segment", "tier"


@dataclass(frozen=True, slots=True)
class GroupChange:
    """A group of members. Money is expected, in the catalogue's currency.

    Attributes:
        kind: ``everybody``, ``segment`` or ``tier``.
        name: The segment or tier; empty for everybody.
        members: How many of it asked.
        reached_today: How many of them get something today.
        reached_new: How many would with the revision.
        value_today: Of all their decisions.
        value_new: The same with the revision.
        losing: Members who get something today and would get nothing.
        gaining: Members who get nothing today and would get something.
    """

    kind: str
    name: str
    members: int
    reached_today: int
    reached_new: int
    value_today: float
    value_new: float
    losing: int
    gaining: int


@dataclass(frozen=True, slots=True)
class CandidateChange:
    """An offer or action whose reach changes.

    Attributes:
        candidate_id: The offer or action.
        members_today: Who get it today.
        members_new: Who would.
        decisions_today: Answers with it today.
        decisions_new: The same with the revision.
    """

    candidate_id: str
    members_today: int
    members_new: int
    decisions_today: int
    decisions_new: int


def group_changes(today: Run, new: Run) -> tuple[GroupChange, ...]:
    """Return the change for everybody, for each segment of the new catalogue and each tier.

    Segments and tiers are those of a member's first request, as the new catalogue sees them.
    """
    groups = [(EVERYBODY, "", list(new.tally.members))]
    segment_ids = [one.segment_id for one in new.snapshot.catalogue.segments]
    groups += [(SEGMENT, name, _of(new, lambda one: one.segments, name)) for name in segment_ids]
    tiers = sorted({one.tier for one in new.tally.members.values() if one.tier})
    groups += [(TIER, name, _of(new, lambda one: (one.tier,), name)) for name in tiers]
    return tuple(_change(kind, name, ids, today, new) for kind, name, ids in groups)


def candidate_changes(today: Run, new: Run) -> tuple[CandidateChange, ...]:
    """Return the offers and actions whose reach changes, those that lose most members first."""
    found = []
    for candidate_id in {**today.tally.given, **new.tally.given}:
        (members_today, decisions_today), (members_new, decisions_new) = (
            _count(today, candidate_id),
            _count(new, candidate_id),
        )
        found.append(
            CandidateChange(candidate_id, members_today, members_new, decisions_today, decisions_new)
        )
    changed = [
        one
        for one in found
        if (one.members_today, one.decisions_today) != (one.members_new, one.decisions_new)
    ]
    return tuple(
        sorted(
            changed,
            key=lambda one: (
                one.members_new - one.members_today,
                one.decisions_new - one.decisions_today,
                one.candidate_id,
            ),
        )
    )


def _of(new: Run, names: Callable[[OfMember], Sequence[str]], name: str) -> list[str]:
    return [member_id for member_id, one in new.tally.members.items() if name in names(one)]


def _change(kind: str, name: str, ids: Sequence[str], today: Run, new: Run) -> GroupChange:
    before, after = _reached(today.tally.members, ids), _reached(new.tally.members, ids)
    return GroupChange(
        kind=kind,
        name=name,
        members=len(ids),
        reached_today=len(before),
        reached_new=len(after),
        value_today=sum(today.tally.members[one].value for one in ids),
        value_new=sum(new.tally.members[one].value for one in ids),
        losing=len(before - after),
        gaining=len(after - before),
    )


def _reached(members: Mapping[str, OfMember], ids: Iterable[str]) -> set[str]:
    return {one for one in ids if members[one].answers}


def _count(done: Run, candidate_id: str) -> tuple[int, int]:
    given = done.tally.given.get(candidate_id)
    return (0, 0) if given is None else (len(given.member_ids), given.decisions)


DAYS = 30
"""So many days of the log are simulated unless others are named."""
_MAX_LOOKS = 1000
"""So often evidence is brought up to date at most: each time costs what some decisions cost."""

Report = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class SimulationOptions:
    """What to simulate.

    Attributes:
        catalogue: The revision; none for the catalogue in force.
        members: Table of members; none for the log's profiles.
        requests: Table of requests; none for the log's.
        placement_id: Every member asks here once a day, instead of the log's requests; empty for those.
        channel_id: How the answers travel then.
        from_day: The first day.
        until_day: The last day, included.
        assume: Draw responses from their probabilities instead of taking the log's.
        seed: Decides what is left to chance; 0 for the chance that the server had.
        keep_rows: Whether every answer is kept.
    """

    catalogue: Path | None = None
    members: Path | None = None
    requests: Path | None = None
    placement_id: str = ""
    channel_id: str = ""
    from_day: date | None = None
    until_day: date | None = None
    assume: bool = False
    seed: int = 0
    keep_rows: bool = False


@dataclass(frozen=True, slots=True)
class Simulation:
    """What came of it.

    Attributes:
        programme: The loyalty programme.
        first_day: Of the requests, in the time zone of the catalogue in force.
        last_day: The last one.
        requests: How many.
        assumed: Whether responses were drawn.
        new: What the revision comes to.
        today: What the catalogue in force comes to.
        groups: Who gains and loses.
        candidates: What gains and loses reach.
        new_run: How the revision's came about.
        today_run: How that of the catalogue in force did.
    """

    programme: str
    first_day: date
    last_day: date
    requests: int
    assumed: bool
    new: Summary
    today: Summary
    groups: tuple[GroupChange, ...]
    candidates: tuple[CandidateChange, ...]
    new_run: Run
    today_run: Run


def simulate(
    opened: Opened, asked: SimulationOptions, report: Report = lambda _what, _done, _total: None
) -> Simulation:
    """Simulate a revision and what is in force today. Nothing is written.

    Args:
        opened: The programme.
        asked: What to simulate.
        report: Told what is being done, how much of it is done, and how much there is.

    Returns:
        Both runs, compared.

    Raises:
        SimulationError: There are no requests, or a table cannot be used.
        AnalysisError: The member table cannot be used.
        DefinitionError: The revision is wrong.
        StoreUnavailableError: The log cannot be read.
    """
    new = opened.revised(asked.catalogue)
    report("Reading requests", 0, 1)
    setting = prepared(opened, asked, new)
    zone = opened.today.catalogue.zone
    total = len(setting.happenings)
    today_run = run(
        opened.today, setting, lambda done: report("Deciding with the catalogue in force", done, total)
    )
    new_run = today_run
    if new is not opened.today:
        new_run = run(new, setting, lambda done: report("Deciding with the revision", done, total))
    days = [
        one.time.astimezone(zone).date() for one in setting.happenings if isinstance(one, SimulatedRequest)
    ]
    return Simulation(
        programme=opened.programme,
        first_day=min(days),
        last_day=max(days),
        requests=len(days),
        assumed=asked.assume,
        new=summarise(new_run),
        today=summarise(today_run),
        groups=group_changes(today_run, new_run),
        candidates=candidate_changes(today_run, new_run),
        new_run=new_run,
        today_run=today_run,
    )


def prepared(opened: Opened, asked: SimulationOptions, new: Snapshot) -> Setting:
    """Return what is asked, and how things stood before.

    Args:
        opened: The programme.
        asked: What to simulate.
        new: What would be in force.

    Raises:
        SimulationError: There are no requests, or a table cannot be used.
        AnalysisError: The member table cannot be used.
        StoreUnavailableError: The log cannot be read.
    """
    profiles: Mapping[str, MemberProfile] = {}
    if asked.members is not None:
        profiles = table_profiles(asked.members, new.catalogue)
    requests = _requests(opened, asked, profiles, (new.catalogue, opened.today.catalogue))
    log, programme = opened.log, opened.programme
    first = min(request.receive_micros for request in requests)
    begins = min(to_micros(request.time) for request in requests)
    zone = opened.today.catalogue.zone
    last_day = max(request.time for request in requests).astimezone(zone).date()
    end = to_micros(_midnight(last_day + timedelta(days=1), zone)) - 1
    last = max(*(request.receive_micros for request in requests), end)
    span = timedelta(microseconds=end - begins)
    return Setting(
        programme=programme,
        happenings=in_order(
            requests,
            log.outcomes(programme, first, last),
            log.profile_changes_between(programme, first, last),
        ),
        start=StartStates(log, programme, requests, profiles, first),
        balance=log.balance_before(programme, begins),
        evidence=_evidence_before(log, programme, first, opened.today.catalogue.response_window),
        evidence_interval=max(opened.evidence_interval, span / _MAX_LOOKS),
        assume=asked.assume,
        seed=asked.seed,
        keep_rows=asked.keep_rows,
    )


def _requests(
    opened: Opened,
    asked: SimulationOptions,
    profiles: Mapping[str, MemberProfile],
    catalogues: tuple[Catalogue, Catalogue],
) -> list[SimulatedRequest]:
    zone = opened.today.catalogue.zone
    if asked.from_day is not None and asked.until_day is not None and asked.from_day > asked.until_day:
        raise SimulationError(f"--from {asked.from_day} is after --until {asked.until_day}.")
    if asked.requests is not None:
        found = table_requests(read_table(asked.requests), str(asked.requests), catalogues)
        first, last = asked.from_day or date.min, asked.until_day or date.max
        found = [one for one in found if first <= one.time.astimezone(zone).date() <= last]
        return _some(found, f"{asked.requests} has no requests", asked)
    if asked.placement_id:
        if asked.from_day is None or asked.until_day is None:
            raise SimulationError(
                "Name --from and --until: on these days every member asks at the placement."
            )
        member_ids = list(profiles) or opened.log.member_ids(opened.programme)
        days = (asked.from_day, asked.until_day)
        daily = daily_requests(member_ids, asked.placement_id, asked.channel_id, days, catalogues)
        return _some(daily, "Neither log nor member table has members", asked)
    last_time = opened.log.last_time(opened.programme)
    if last_time is None:
        raise SimulationError(
            f"The log has no decisions of programme {opened.programme!r} yet; give --requests, or --placement with"
            " --members.",
            programme=opened.programme,
        )
    until_day = asked.until_day or last_time.astimezone(zone).date()
    from_day = asked.from_day or until_day - timedelta(days=DAYS - 1)
    found = opened.log.requests(opened.programme, *_bounds(from_day, until_day, zone))
    return _some(found, f"The log has no decisions from {from_day} until {until_day}", asked)


def _some(requests: list[SimulatedRequest], nothing: str, asked: SimulationOptions) -> list[SimulatedRequest]:
    if not requests:
        named = asked.from_day is not None or asked.until_day is not None
        hint = "; name other days with --from and --until." if named else "."
        raise SimulationError(f"{nothing}{hint}")
    return requests


def _bounds(from_day: date, until_day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return the first moment of the first day, and the first moment after the last one."""
    return _midnight(from_day, zone), _midnight(until_day + timedelta(days=1), zone)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone)


def _evidence_before(log: LogReads, programme: str, first: int, window: timedelta | None) -> EvidenceBefore:
    if window is None:
        return EvidenceBefore()
    since = first - window // timedelta(microseconds=1)
    return EvidenceBefore(
        log.evidence_before(programme, since),
        tuple(log.waiting(programme, since, first)),
        frozenset(log.responses(programme, since, first)),
    )
