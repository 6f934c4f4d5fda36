"""`Degraded`: something is wrong that does not mend itself at once."""

from aicompany_operator.conditions.condition import Condition
from aicompany_operator.observed.seen import KeyState, Reason, Seen, Trouble

REJECTED = Trouble(
    Reason.KEY_REJECTED,
    "the model's service rejects the key; put a valid one in the Secret that spec.model.apiKeySecret names",
)


def troubles_of(seen: Seen) -> list[Trouble]:
    """All that is wrong, the gravest first: what was met while looking, the key, then Deployments, then pods."""
    troubles = [
        *seen.troubles,
        REJECTED if seen.key is KeyState.REJECTED else None,
        *(seen.deployments[group].trouble for group in sorted(seen.deployments)),
        *(pod.trouble for pod in sorted(seen.pods, key=lambda pod: pod.name) if not pod.is_ending),
    ]
    return list(dict.fromkeys(trouble for trouble in troubles if trouble is not None))


def degraded(seen: Seen) -> Condition:
    """True with the gravest trouble, and how many more there are."""
    troubles = troubles_of(seen)
    if not troubles:
        return Condition.holds("Degraded", False, Reason.NOTHING_WRONG, "nothing is wrong")
    more = f" (and {len(troubles) - 1} more)" if len(troubles) > 1 else ""
    return Condition.holds("Degraded", True, troubles[0].reason, troubles[0].message + more)
