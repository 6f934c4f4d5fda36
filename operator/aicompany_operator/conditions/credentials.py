"""`CredentialsAvailable`: every secret value is there, and the model's service takes the key."""

from aicompany_operator.conditions.condition import Condition, Status
from aicompany_operator.conditions.degraded import REJECTED
from aicompany_operator.observed.seen import KeyState, Reason, Seen


def credentials(seen: Seen) -> Condition:
    """False when a Secret is missing or the key is rejected; Unknown while the service cannot be asked."""
    name = "CredentialsAvailable"
    for trouble in seen.troubles:
        if trouble.reason is Reason.SECRET_MISSING:
            return Condition.holds(name, False, trouble.reason, trouble.message)
    match seen.key:
        case KeyState.NOT_NEEDED:
            return Condition.holds(name, True, Reason.NO_KEY_NEEDED, "the offline model answers; it needs no key")
        case KeyState.ACCEPTED:
            return Condition.holds(name, True, Reason.KEY_ACCEPTED, "the model's service accepts the key")
        case KeyState.REJECTED:
            return Condition.holds(name, False, REJECTED.reason, REJECTED.message)
        case KeyState.UNCHECKED:
            said = "the key is there; the model's service could not be asked whether it is good"
            return Condition(name, Status.UNKNOWN, Reason.KEY_UNCHECKED, said)
