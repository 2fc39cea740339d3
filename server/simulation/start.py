"""How members stood when the simulation begins: the log's state, with the profile of the member table where there is one."""

from collections.abc import Mapping, Sequence

from experiments.log.events import Outcome
from server.members import MemberProfile, MemberState
from server.members.change import ProfileChange
from server.simulation.requests import Request
from server.whatif.log import LogReads


class StartStates:
    """The states of members before the first request. Each is read once, for all runs.

    Args:
        log: The decision log.
        programme: The loyalty programme.
        requests: What will be asked.
        profiles: Of the member table; they stand instead of the log's.
        from_micros: When the simulation begins, microseconds since the Unix epoch.
    """

    def __init__(
        self,
        log: LogReads,
        programme: str,
        requests: Sequence[Request],
        profiles: Mapping[str, MemberProfile],
        from_micros: int,
    ) -> None:
        self._log = log
        self._programme = programme
        self._profiles = profiles
        self._from_micros = from_micros
        self._asked = {request.member_id for request in requests}
        self._logged: dict[str, int] = {}
        for request in requests:
            if request.version is not None:
                before = request.version - 1
                self._logged[request.member_id] = min(before, self._logged.get(request.member_id, before))
        self._states: dict[str, MemberState] = {}
        self._versions = dict(self._logged)

    def of(self, member_id: str) -> MemberState:
        """Return a member's state before her first request.

        For a request of the log it is what that decision read. For one of a table it is what the log had of her when the
        first one is asked, with the profile in force now.

        Raises:
            StoreUnavailableError: The log cannot be read.
        """
        state = self._states.get(member_id)
        if state is None:
            state = self._states[member_id] = self._read(member_id)
        return state

    def has(self, outcome: Outcome) -> bool:
        """Tell whether a member's state before her first request has an outcome already, or nobody asks for her state."""
        if outcome.member_id not in self._asked:
            return True
        version = outcome.member_version
        return version is not None and version <= self._version(outcome.member_id)

    def has_profile(self, change: ProfileChange) -> bool:
        """Tell whether a member's state has what a change of the log says of her, or what overrides it."""
        return (
            change.member_id in self._profiles
            or change.member_id not in self._logged
            or change.member_version <= self._logged[change.member_id]
        )

    def _version(self, member_id: str) -> int:
        """Return up to which version of the log the member's state reaches."""
        version = self._versions.get(member_id)
        if version is None:
            version = self._log.version_before(self._programme, member_id, self._from_micros)
            self._versions[member_id] = version
        return version

    def _read(self, member_id: str) -> MemberState:
        version = self._version(member_id)
        if member_id in self._logged:
            state = self._log.member_state(self._programme, member_id, version)
        else:
            state = self._log.state_now(self._programme, member_id, version)
        profile = self._profiles.get(member_id)
        return state if profile is None else state.after_profile(version, profile)
