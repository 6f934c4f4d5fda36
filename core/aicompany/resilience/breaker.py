"""Circuit breaker: stop calling what does not answer, and try carefully whether it does again.

The machine is a table, `state × event → state`; `allow`, `record_success` and `record_failure` are its events.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from aicompany.spec.work import BreakerSpec


class Circuit(StrEnum):
    """Where a breaker stands."""

    CLOSED = "closed"
    """Calls pass."""
    OPEN = "open"
    """Calls are refused."""
    HALF_OPEN = "half_open"
    """A few calls pass, to see."""


class Signal(StrEnum):
    """What moves a breaker."""

    WAITED = "waited"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    FAILED_TOO_OFTEN = "failed_too_often"


TRANSITIONS: dict[tuple[Circuit, Signal], Circuit] = {
    (Circuit.CLOSED, Signal.SUCCEEDED): Circuit.CLOSED,
    (Circuit.CLOSED, Signal.FAILED): Circuit.CLOSED,
    (Circuit.CLOSED, Signal.FAILED_TOO_OFTEN): Circuit.OPEN,
    (Circuit.CLOSED, Signal.WAITED): Circuit.CLOSED,
    # Answers of calls that began before it opened say nothing about now.
    (Circuit.OPEN, Signal.SUCCEEDED): Circuit.OPEN,
    (Circuit.OPEN, Signal.FAILED): Circuit.OPEN,
    (Circuit.OPEN, Signal.FAILED_TOO_OFTEN): Circuit.OPEN,
    (Circuit.OPEN, Signal.WAITED): Circuit.HALF_OPEN,
    (Circuit.HALF_OPEN, Signal.SUCCEEDED): Circuit.CLOSED,
    (Circuit.HALF_OPEN, Signal.FAILED): Circuit.OPEN,
    (Circuit.HALF_OPEN, Signal.FAILED_TOO_OFTEN): Circuit.OPEN,
    (Circuit.HALF_OPEN, Signal.WAITED): Circuit.HALF_OPEN,
}


@dataclass(frozen=True, slots=True)
class Breaker:
    """One breaker at one instant. All times are monotonic seconds."""

    failures_max: int = 5
    open_seconds: float = 60.0
    trials_max: int = 1
    circuit: Circuit = Circuit.CLOSED
    failures_in_a_row: int = 0
    opened_at: float = 0.0
    trials: int = 0
    """Calls let through since it is half open that have not ended."""
    opened_total: int = 0
    refused_total: int = 0

    @classmethod
    def of(cls, spec: BreakerSpec) -> "Breaker":
        """A closed breaker as a company's file asks for."""
        return cls(spec.failures_max, spec.open_seconds, spec.trials_max)

    def allow(self, now_seconds: float) -> "tuple[bool, Breaker]":
        """Whether a call may pass now, and the breaker after that answer."""
        breaker = self
        if self.circuit is Circuit.OPEN and now_seconds >= self.opened_at + self.open_seconds:
            breaker = replace(self, circuit=TRANSITIONS[self.circuit, Signal.WAITED], trials=0)
        if breaker.circuit is Circuit.CLOSED:
            return True, breaker
        if breaker.circuit is Circuit.HALF_OPEN and breaker.trials < breaker.trials_max:
            return True, replace(breaker, trials=breaker.trials + 1)
        return False, replace(breaker, refused_total=breaker.refused_total + 1)

    def record_success(self) -> "Breaker":
        """A call that had passed succeeded."""
        circuit = TRANSITIONS[self.circuit, Signal.SUCCEEDED]
        failures = self.failures_in_a_row if circuit is Circuit.OPEN else 0
        return replace(self, circuit=circuit, failures_in_a_row=failures, trials=max(0, self.trials - 1))

    def record_failure(self, now_seconds: float) -> "Breaker":
        """A call that had passed failed."""
        failures = self.failures_in_a_row + 1
        signal = Signal.FAILED_TOO_OFTEN if failures >= self.failures_max else Signal.FAILED
        circuit = TRANSITIONS[self.circuit, signal]
        opens = circuit is Circuit.OPEN and self.circuit is not Circuit.OPEN
        return replace(
            self,
            circuit=circuit,
            failures_in_a_row=failures,
            trials=max(0, self.trials - 1),
            opened_at=now_seconds if opens else self.opened_at,
            opened_total=self.opened_total + opens,
        )

    def record_neither(self) -> "Breaker":
        """A call that had passed was given up by the caller: its trial is free again."""
        return replace(self, trials=max(0, self.trials - 1))

    def retry_after_seconds(self, now_seconds: float) -> float:
        """How long a refused caller should wait; a second when only trials are on their way."""
        if self.circuit is Circuit.OPEN:
            return max(0.0, self.opened_at + self.open_seconds - now_seconds)
        return 1.0
