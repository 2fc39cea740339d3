"""The send plan of a user's trial: effects learned, costs applied, money allocated, the list written and the run tracked."""

from training.send_plan.costs import ArmCost
from training.send_plan.job import PlanOptions, PlanResult, plan_sends

__all__ = ["ArmCost", "PlanOptions", "PlanResult", "plan_sends"]
