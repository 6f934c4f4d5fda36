"""Lanes: the four priorities, each with queues of its own."""

from enum import StrEnum


class Lane(StrEnum):
    """Priority of a message, most urgent first. Iteration is in that order."""

    CRITICAL = "critical"
    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"

    @property
    def rank(self) -> int:
        """0 for the most urgent."""
        return LANES.index(self)


LANES: tuple[Lane, ...] = tuple(Lane)
