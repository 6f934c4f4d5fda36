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
class BreakerStatistics:
    """What a breaker has seen since it was made."""

    passed: int = 0
    succeeded: int = 0
    failed: int = 0
    refused: int = 0
    opened: int = 0


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
    generation: int = 0
    """Counts the changes of the circuit. Who is let through remembers it and gives it back with the outcome, because
    the outcome of a call that began before a change says nothing about now."""
    statistics: BreakerStatistics = BreakerStatistics()

    @classmethod
    def of(cls, spec: BreakerSpec) -> "Breaker":
        """A closed breaker as a company's file asks for."""
        return cls(spec.failures_max, spec.open_seconds, spec.trials_max)

    def allow(self, now_seconds: float) -> "tuple[bool, Breaker]":
        """Whether a call may pass now, and the breaker after that answer."""
        breaker = self
        if self.circuit is Circuit.OPEN and now_seconds >= self.opened_at + self.open_seconds:
            breaker = self._moved(Signal.WAITED)
        if breaker.circuit is Circuit.CLOSED:
            return True, breaker._counted(passed=1)
        if breaker.circuit is Circuit.HALF_OPEN and breaker.trials < breaker.trials_max:
            return True, replace(breaker._counted(passed=1), trials=breaker.trials + 1)
        return False, breaker._counted(refused=1)

    def record_success(self, generation: int | None = None) -> "Breaker":
        """A call that had passed in this generation (the present one when not told) succeeded."""
        counted = self._counted(succeeded=1)
        if not self._is_current(generation) or self.circuit is Circuit.OPEN:
            return counted
        return replace(counted._moved(Signal.SUCCEEDED), failures_in_a_row=0)

    def record_failure(self, now_seconds: float, generation: int | None = None) -> "Breaker":
        """A call that had passed in this generation (the present one when not told) failed."""
        counted = self._counted(failed=1)
        if not self._is_current(generation) or self.circuit is Circuit.OPEN:
            return counted
        failures = self.failures_in_a_row + 1
        signal = Signal.FAILED_TOO_OFTEN if failures >= self.failures_max else Signal.FAILED
        after = replace(counted._moved(signal), failures_in_a_row=failures)
        if after.circuit is Circuit.OPEN:
            return replace(after._counted(opened=1), opened_at=now_seconds)
        return after

    def record_neither(self, generation: int | None = None) -> "Breaker":
        """A call that had passed was given up by the caller: its trial is free again."""
        return self._without_trial() if self._is_current(generation) else self

    def record_recovery(self) -> "Breaker":
        """Somebody who looks after it by itself saw that it works again: calls pass at once."""
        if self.circuit is Circuit.CLOSED:
            return replace(self, failures_in_a_row=0)
        return replace(self, circuit=Circuit.CLOSED, failures_in_a_row=0, trials=0, generation=self.generation + 1)

    def retry_after_seconds(self, now_seconds: float) -> float:
        """How long a refused caller should wait; a second when only trials are on their way."""
        if self.circuit is Circuit.OPEN:
            return max(0.0, self.opened_at + self.open_seconds - now_seconds)
        return 1.0

    def _is_current(self, generation: int | None) -> bool:
        return generation is None or generation == self.generation

    def _moved(self, signal: Signal) -> "Breaker":
        circuit = TRANSITIONS[self.circuit, signal]
        if circuit is self.circuit:
            return self._without_trial()
        return replace(self, circuit=circuit, trials=0, generation=self.generation + 1)

    def _without_trial(self) -> "Breaker":
        return replace(self, trials=max(0, self.trials - 1))

    def _counted(
        self, *, passed: int = 0, succeeded: int = 0, failed: int = 0, refused: int = 0, opened: int = 0
    ) -> "Breaker":
        seen = self.statistics
        counted = BreakerStatistics(
            seen.passed + passed,
            seen.succeeded + succeeded,
            seen.failed + failed,
            seen.refused + refused,
            seen.opened + opened,
        )
        return replace(self, statistics=counted)
