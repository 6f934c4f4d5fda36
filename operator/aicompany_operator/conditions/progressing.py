"""`Progressing`: pods are being made, replaced or taken away."""

from aicompany_operator.conditions.condition import Condition
from aicompany_operator.observed.seen import Reason, Seen


def progressing(seen: Seen) -> Condition:
    """True while a Deployment is not what it should be."""
    moving = [
        str(group)
        for group in sorted(seen.groups)
        if (deployment := seen.deployments.get(group)) is None or not deployment.is_settled
    ]
    if moving:
        return Condition.holds("Progressing", True, Reason.ROLLING, f"on the way: {', '.join(moving)}")
    return Condition.holds("Progressing", False, Reason.SETTLED, "every Deployment is as it should be")
