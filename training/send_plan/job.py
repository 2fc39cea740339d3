"""The job behind ``troth plan``: a trial in, a list with its value and its verdict out."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import polars as pl

from experiments.aggregates.tables import TableSource
from experiments.display import Displayed
from experiments.number_format import count_of, plain
from experiments.pages.send_plan_page import Receivers, build_page
from experiments.pages.uplift_page import uplift_section
from experiments.send_plan import (
    PlanLimits,
    PlanProblem,
    ScoredArms,
    SendPlan,
    VerdictCode,
    make_plan,
    plan_document,
)
from experiments.send_plan.sentences import gain_text
from experiments.uplift.calibration import UpliftCalibration
from experiments.uplift.evaluation import evaluate_uplift
from experiments.uplift.groups import describe, difference_words
from experiments.uplift.result import Unit
from experiments.uplift.trial import Floats, Trial, weighted_scores
from training.send_plan.audiences import Addressed, differ, learn_responses, of_a_table, of_the_trial
from training.send_plan.costs import ArmCost, arm_costs, check_names, net_outcome
from training.send_plan.list_table import plan_table
from training.send_plan.own_rule import RuleLine, rule_arms
from training.threads import one_thread_of_algebra
from training.uplift.learners import CHALLENGERS, DEFAULT_LEARNER
from training.uplift.learning import FOLDS, LearnedEffects, learn_effects
from training.uplift.reading import ReadTrial, TrialColumns, read_trial
from training.uplift.trust import TrialTrust, check_trial


def first_steps(
    read: ReadTrial, trust: TrialTrust, learned: LearnedEffects, costs: Mapping[str, ArmCost]
) -> list[tuple[str, str]]:
    """Describe each step up to the calibration.

    Args:
        read: The trial.
        trust: Its checks.
        learned: Effects on net margin.
        costs: By arm, as they were given.

    Returns:
        Name and sentence of each step.
    """
    return [
        ("read", _read(read)),
        ("trust the trial", " ".join(finding.sentence for finding in trust.findings)),
        ("costs", _costs(read, costs)),
        ("effects", _effects(learned)),
        ("heterogeneity gate", _gate(learned)),
        ("calibrate and shrink", _shrunk(learned)),
    ]


def _read(read: ReadTrial) -> str:
    trial = read.trial
    sizes = ", ".join(
        f"{arm} {count:,}" for arm, count in zip(trial.arms, trial.counts.tolist(), strict=True)
    )
    text = f"{count_of(len(trial), 'member')}: {sizes}; {count_of(trial.features.width, 'feature')}."
    if not read.columns.margin:
        text += f" No margin column was named, so {read.outcome} itself is the money."
    if not read.columns.response:
        text += f" Who responded is told by {read.response}."
    return text


def _costs(read: ReadTrial, costs: Mapping[str, ArmCost]) -> str:
    named = [
        f"{arm}: {cost.per_send:g} a send"
        + (f" and {cost.per_response:g} a response" if cost.per_response else "")
        for arm, cost in costs.items()
    ]
    free = [arm for arm in read.trial.arms[1:] if arm not in costs]
    if free:
        named.append(f"{' and '.join(free)}: nothing, because no cost was named")
    return f"{'; '.join(named)}."


def _effects(learned: LearnedEffects) -> str:
    arms = "; ".join(
        f"{arm} {gain_text(average)}"
        for arm, average in zip(learned.trial.arms[1:], learned.averages, strict=True)
    )
    better = [
        f"{name} ({gain_text(one)} a member)" for name, one in learned.differences.items() if one.lower > 0
    ]
    text = f"Average effect on net margin against {learned.trial.arms[0]}, a member: {arms}."
    text += f" Predicted for each member by {learned.chosen.name}, from models that did not see them."
    if not learned.differences:
        return text
    if better:
        return f"{text} Shown to choose better than the default: {'; '.join(better)}."
    return f"{text} Not shown to choose better: {', '.join(learned.differences)}."


def _gate(learned: LearnedEffects) -> str:
    each = [
        f"{arm}: {'they do' if calibration.passes else 'not shown'} (slope {_slope(calibration)})"
        for arm, calibration in zip(learned.trial.arms[1:], learned.chosen.calibrations, strict=True)
    ]
    return f"Whether effects differ between members as predicted: {'; '.join(each)}."


def _slope(calibration: UpliftCalibration) -> str:
    slope = calibration.slope
    if math.isnan(slope.value):
        return "none: all predictions are equal"
    return f"{plain(slope.value, 2)} ± {plain(slope.standard_error, 2)}"


def _shrunk(learned: LearnedEffects) -> str:
    each = [
        f"{arm} by {plain(calibration.shrinkage, 2)}"
        for arm, calibration in zip(learned.trial.arms[1:], learned.chosen.calibrations, strict=True)
    ]
    if not any(calibration.passes for calibration in learned.chosen.calibrations):
        return (
            "Effects are not shown to differ, so every member is expected to gain the average. The personalised list that is"
            " valued goes by the effects as they were predicted: it is what personalising would have done."
        )
    return f"Predicted differences are multiplied by what holds of them: {', '.join(each)}; 0 leaves the average."


Progress = Callable[[str, int, int], None]
NET = "net margin"
_STEPS = 4


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """What may be spent, and how the job runs.

    Attributes:
        costs: By arm; arms not named cost nothing.
        budget: Money for the list, at least 0; infinite without a limit.
        sends: Most members who get something.
        min_roi: Least net gain per 1 spent.
        caps: Most members who get an arm, by arm.
        rules: The own rule, line by line.
        smallest_gain: The smallest gain worth having, money per member; a tenth of the control's standard deviation if none.
        random_share: How much of the list is left to chance.
        members: Table of other members to write to; those of the trial if none.
        shares: Planned share of members by arm, for the check of the arms' sizes.
        learner: The default learner.
        challengers: Whether boosted trees may replace it.
        folds: Of the cross-fitting.
        seed: Of everything random.
    """

    costs: Mapping[str, ArmCost] = field(default_factory=dict)
    budget: float = math.inf
    sends: int | None = None
    min_roi: float | None = None
    caps: Mapping[str, int] = field(default_factory=dict)
    rules: Sequence[RuleLine] = ()
    smallest_gain: float | None = None
    random_share: float = 0.05
    members: TableSource | None = None
    shares: Mapping[str, float] | None = None
    learner: str = DEFAULT_LEARNER
    challengers: bool = True
    folds: int = FOLDS
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class PlanResult(Displayed):
    """A plan with everything that was made of it.

    Attributes:
        options: What was asked.
        read: The trial.
        learned: Effects on net margin.
        addressed: The list's members.
        plan: The plan.
        document: The JSON document.
        table: The list.
    """

    options: PlanOptions
    read: ReadTrial
    learned: LearnedEffects
    addressed: Addressed
    plan: SendPlan
    document: dict[str, Any]
    table: pl.DataFrame

    @property
    def verdict(self) -> VerdictCode:
        """What to do."""
        return self.plan.verdict.code

    def to_json(self) -> dict[str, Any]:
        """Return the plan as a JSON document."""
        return self.document

    def to_polars(self) -> pl.DataFrame:
        """Return the list: one row per member with the arm, its probability, cost and reason."""
        return self.table

    def summary(self) -> str:
        """Return the verdict, what it means, and how many members get what."""
        sends = ", ".join(f"{arm} {count:,}" for arm, count in self.document["list"]["sends"].items())
        return f"{self.document['title']}. {self.document['sentence']}\nThe list: {sends}."

    def to_html(self, path: str | Path | None = None, *, title: str = "Send plan") -> str:
        """Return the page for people as one HTML document that loads nothing, and write it to a file if one is named."""
        text = self.page(title)
        if path is not None:
            Path(path).write_text(text, encoding="utf-8")
        return text

    def page(self, title: str) -> str:
        """Return the page for people.

        Args:
            title: Heading.
        """
        trial = self.learned.trial
        subtitle = (
            f"Learned from {count_of(len(trial), 'member')} of a trial against {trial.arms[0]!r},"
            f" for {count_of(len(self.plan.audience), 'member')}"
        )
        trusted = not self.plan.problem.distrust
        return build_page(
            self.document,
            title=title,
            subtitle=subtitle,
            receivers=self._receivers() if trusted else (),
            fragments=[("Are the effects as predicted?", self._effects())] if trusted else (),
        )

    def _receivers(self) -> list[Receivers]:
        listed = self.plan.list
        chosen = ~listed.random.random
        return [
            Receivers(
                arm,
                int((listed.arm == place).sum()),
                difference_words(describe(self.addressed.features, own)),
            )
            for place, arm in enumerate(self.plan.problem.arms)
            if (own := chosen & (listed.arm == place)).any()
        ]

    def _effects(self) -> str:
        """Return what is predicted beside what was measured, tenth by tenth, as a fragment of the page."""
        learned = self.learned
        evaluation = evaluate_uplift(
            learned.trial,
            NET,
            learned.scores,
            {learned.chosen.name: learned.effects},
            unit=Unit(NET, treated="written to"),
            baselines={"response": self.plan.problem.audience.response.mean(axis=1)},
            untreated=learned.predicted[:, 0],
        )
        return uplift_section(evaluation)


def plan_sends(
    path: TableSource, columns: TrialColumns, options: PlanOptions, progress: Progress | None = None
) -> PlanResult:
    """Learn what each arm brings each member net of its cost, and make the plan.

    Args:
        path: Table of the trial, one row per member.
        columns: Which column says what.
        options: What may be spent.
        progress: Told what is done.

    Returns:
        The plan.

    Raises:
        DomainError: A table or an option cannot be used.
    """
    say = progress or (lambda _text, _done, _total: None)
    say("reading the trial", 0, _STEPS)
    read = read_trial(path, columns)
    costs = arm_costs(read.trial, options.costs)
    limits = _limits(read, options)
    rule = rule_arms(options.rules, read.trial, path)
    trust = check_trial(read.trial, options.shares)
    with one_thread_of_algebra():
        say("learning effects", 1, _STEPS)
        trial = _with_net(read, costs)
        learned = learn_effects(
            trial,
            NET,
            learner=options.learner,
            others=tuple(CHALLENGERS) if options.challengers else (),
            folds=options.folds,
            seed=options.seed,
        )
        responses = learn_responses(trial, read.response, learned, options.seed)
        say("allocating", 2, _STEPS)
        own = of_the_trial(responses, costs, rule)
        addressed = own
        if options.members is not None:
            theirs = rule_arms(options.rules, trial, options.members)
            addressed = of_a_table(options.members, columns.member, responses, costs, theirs)
        part = len(own.audience) / len(addressed.audience)
        problem = PlanProblem(
            arms=trial.arms,
            audience=own.audience,
            scored=_scored(learned),
            net=trial.outcomes[NET],
            predicted=learned.predicted,
            limits=limits.share(part) if addressed is not own else limits,
            smallest_gain=options.smallest_gain,
            differ=differ(learned),
            distrust=trust.failures,
            random_share=options.random_share,
            seed=options.seed,
        )
        plan = make_plan(problem) if addressed is own else make_plan(problem, addressed.audience, limits)
        say("writing the list", 3, _STEPS)
        document = plan_document(plan, first_steps(read, trust, learned, options.costs), read.warnings)
        table = plan_table(plan, learned, addressed)
    say("done", _STEPS, _STEPS)
    return PlanResult(options, read, learned, addressed, plan, document, table)


def _limits(read: ReadTrial, options: PlanOptions) -> PlanLimits:
    check_names(read.trial, list(options.caps), "cap")
    caps = {read.trial.arms.index(arm) - 1: cap for arm, cap in options.caps.items()}
    return PlanLimits(options.budget, options.sends, caps, options.min_roi)


def _with_net(read: ReadTrial, costs: tuple[Floats, Floats]) -> Trial:
    trial = read.trial
    net = net_outcome(trial.outcomes[read.money], trial.outcomes[read.response], trial.arm, costs)
    return replace(trial, outcomes={**trial.outcomes, NET: net})


def _scored(learned: LearnedEffects) -> ScoredArms:
    trial = learned.trial
    weighted = weighted_scores(trial.arm, trial.propensity, trial.outcomes[NET], len(trial.arms))
    return ScoredArms(learned.scores, weighted, trial.arm, trial.propensity)
