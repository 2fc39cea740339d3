"""The send plan: whom to send what within a budget, what it is worth, and why not something simpler.

``make_plan`` turns a ``PlanProblem`` into a ``SendPlan``: it allocates the budget (``allocate``), values the list against simpler
policies (``valuation``), reaches a verdict (``plan``) and writes the list (``lists``). ``plan_document`` returns it as JSON.
"""

from experiments.send_plan.allocate import PlanAllocation, allocate
from experiments.send_plan.document import plan_document
from experiments.send_plan.lists import SendList
from experiments.send_plan.plan import SendPlan, VerdictCode, make_plan
from experiments.send_plan.problem import Audience, PlanLimits, PlanProblem, ScoredArms

__all__ = [
    "Audience",
    "PlanAllocation",
    "PlanLimits",
    "PlanProblem",
    "ScoredArms",
    "SendList",
    "SendPlan",
    "VerdictCode",
    "allocate",
    "make_plan",
    "plan_document",
]
