"""Telling which variants a member is in."""

from collections.abc import Sequence

from experiments.assignment import Assignment, assign
from server.errors import ExperimentNotFoundError
from server.programme import Programmes


class AssignmentHandler:
    """Answers ``GetAssignments``. Reads the plan only; writes nothing."""

    def __init__(self, programmes: Programmes) -> None:
        self._programmes = programmes

    def assignments(
        self, programme: str, member_id: str, experiment_ids: Sequence[str]
    ) -> tuple[tuple[Assignment, ...], str]:
        """Return the member's assignments and the plan's revision.

        Args:
            programme: The loyalty programme.
            member_id: Whose.
            experiment_ids: Which experiments; all that run if empty.

        Raises:
            ProgrammeNotFoundError: Unknown programme.
            ExperimentNotFoundError: Unknown experiment.
        """
        plan = self._programmes.current(programme).plan
        wanted = experiment_ids or [each.experiment_id for each in plan.experiments.values() if each.running]
        for experiment_id in wanted:
            if experiment_id not in plan.experiments:
                raise ExperimentNotFoundError(programme, experiment_id)
        return tuple(assign(plan, experiment_id, member_id) for experiment_id in wanted), plan.revision
