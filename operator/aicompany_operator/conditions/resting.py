"""`Paused` and `Hibernated`: what the user asked for, and whether it is so."""

from aicompany_operator.conditions.condition import Condition
from aicompany_operator.observed.seen import Reason, Seen


def paused(wanted: bool) -> Condition:
    """True while the operator keeps its hands off."""
    if wanted:
        return Condition.holds("Paused", True, Reason.PAUSED, "spec.paused is true: the operator changes nothing")
    return Condition.holds("Paused", False, Reason.RUNNING, "the operator repairs what differs")


def hibernated(seen: Seen, wanted: bool) -> Condition:
    """True once no pod is left."""
    if not wanted:
        return Condition.holds("Hibernated", False, Reason.AWAKE, "the company is awake")
    left = len(seen.pods) or sum(deployment.total for deployment in seen.deployments.values())
    if left:
        return Condition.holds("Hibernated", False, Reason.HIBERNATING, f"{left} pods are still finishing")
    return Condition.holds("Hibernated", True, Reason.HIBERNATED, "no pod runs; queues and events are kept")
