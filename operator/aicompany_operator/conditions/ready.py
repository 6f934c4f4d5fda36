"""`Ready`: the company takes orders and carries them out."""

from aicompany_operator.conditions.condition import Condition
from aicompany_operator.conditions.degraded import troubles_of
from aicompany_operator.observed.seen import KeyState, Reason, Seen


def ready(seen: Seen, *, hibernated: bool) -> Condition:
    """True when every group has as many ready pods as it should, and the model's service takes the key."""
    if hibernated:
        return Condition.holds(
            "Ready", False, Reason.HIBERNATED, "the company is hibernated; set spec.hibernated to false"
        )
    if seen.key is KeyState.REJECTED:
        return Condition.holds("Ready", False, Reason.KEY_REJECTED, "the model's service does not accept the key")
    # Whether they are of the newest specification is `Progressing`'s matter: the ones before carry orders out, too.
    missing = [
        f"{group} {deployment.ready if deployment else 0}/{wanted}"
        for group, wanted in sorted(seen.groups.items())
        if (deployment := seen.deployments.get(group)) is None or deployment.ready < wanted
    ]
    if not missing:
        return Condition.holds("Ready", True, Reason.ALL_READY, "gateway and workers are ready")
    troubles = troubles_of(seen)
    if troubles:
        return Condition.holds("Ready", False, troubles[0].reason, troubles[0].message)
    return Condition.holds("Ready", False, Reason.PODS_STARTING, f"not ready yet: {', '.join(missing)}")
