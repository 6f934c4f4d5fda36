"""What an order brings, composed from what its steps brought."""

from collections.abc import Mapping

from aicompany.ids import TaskId
from aicompany.plans.state import Order


def compose_result(order: Order, results: Mapping[TaskId, str]) -> str:
    """The outputs of the last phase: one as it is, several below each other under their titles."""
    if order.plan is None:
        return ""
    steps = order.steps_of(len(order.plan.phases))
    if len(steps) == 1:
        return results[steps[0]]
    parts = [f"## {order.step(step).title}\n\n{results[step].strip()}" for step in steps]
    return "\n\n".join(parts) + "\n"
