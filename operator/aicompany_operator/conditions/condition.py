"""A condition, and how it goes on from the one before it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from aicompany_operator.observed.seen import Reason


class Status(StrEnum):
    """Whether it holds."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class Condition:
    """One statement about the company, with its reason."""

    type: str
    status: Status
    reason: Reason
    message: str

    @classmethod
    def holds(cls, name: str, fact: bool, reason: Reason, message: str) -> "Condition":
        """True or False."""
        return cls(name, Status.TRUE if fact else Status.FALSE, reason, message)


def merged(
    conditions: Iterable[Condition], before: Iterable[Mapping[str, Any]], *, generation: int, now: str
) -> list[dict[str, Any]]:
    """As they stand in the resource's status; the time of transition moves only when the status changes.

    `now` is RFC 3339. Equal conditions give an equal list, so that a steady state writes nothing.
    """
    known = {condition["type"]: condition for condition in before}
    result = []
    for condition in conditions:
        old = known.get(condition.type, {})
        since = old.get("lastTransitionTime", now) if old.get("status") == condition.status else now
        result.append(
            {
                "type": condition.type,
                "status": str(condition.status),
                "reason": str(condition.reason),
                "message": condition.message,
                "observedGeneration": generation,
                "lastTransitionTime": since,
            }
        )
    return result
