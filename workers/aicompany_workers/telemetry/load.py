"""How busy the workers of this process have been since somebody asked last."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from aicompany_workers.telemetry.facts import MessageHandled

_COMPLEXITIES = 10


@dataclass(frozen=True, slots=True)
class WorkLoad:
    """What the workers of a process say."""

    in_flight: int
    capacity: int
    handled: int
    failed: int
    """Of the handled ones, those that were retried or given up."""
    busy_seconds: float
    """Time spent handling, summed over all messages."""
    complexity: float
    """Mean of the last ten tasks; 0 when there was none."""


@dataclass(slots=True)
class LoadMeter:
    """Counts settlements; `take` reads and begins anew."""

    in_flight: Callable[[], int] = lambda: 0
    capacity: Callable[[], int] = lambda: 0
    _handled: int = 0
    _failed: int = 0
    _busy_seconds: float = 0.0
    _complexities: deque[float] = field(default_factory=lambda: deque(maxlen=_COMPLEXITIES))

    def message_handled(self, fact: MessageHandled) -> None:
        """Count one."""
        self._handled += 1
        self._failed += fact.outcome in {"retried", "given_up"}
        self._busy_seconds += fact.duration_seconds
        for measurement in fact.measurements:
            if measurement.metric == "step_complexity":
                self._complexities.append(measurement.value)

    def take(self) -> WorkLoad:
        """What came together since the last time."""
        complexity = sum(self._complexities) / len(self._complexities) if self._complexities else 0.0
        load = WorkLoad(self.in_flight(), self.capacity(), self._handled, self._failed, self._busy_seconds, complexity)
        self._handled, self._failed, self._busy_seconds = 0, 0, 0.0
        return load
