"""Which lane goes next: the most urgent one, with a guaranteed share for the least urgent."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from aicompany.messaging.lanes import Lane


@dataclass(frozen=True, slots=True)
class LaneScheduler:
    """The rule and where it stands. Every `low_share`-th pick goes to the least urgent lane that waits."""

    low_share: int
    picks: int = 0
    """Picks since the last that favoured the least urgent lane."""

    def pick(self, waiting: Sequence[Lane]) -> "tuple[Lane, LaneScheduler]":
        """The lane to serve, out of those where something waits, and the scheduler after that.

        Raises `ValueError` when nothing waits.
        """
        if not waiting:
            raise ValueError("no lane waits")
        if self.picks + 1 >= self.low_share:
            return max(waiting, key=lambda lane: lane.rank), replace(self, picks=0)
        return min(waiting, key=lambda lane: lane.rank), replace(self, picks=self.picks + 1)
