"""Circuit breakers at work: each has a name, guards calls, and is seen in status and metrics."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import asdict
from typing import Any, TypeVar

import structlog
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from aicompany.errors import BreakerOpen, PassingError
from aicompany.ports.clock import Clock
from aicompany.resilience.breaker import Breaker, Circuit

T = TypeVar("T")

log = structlog.get_logger()


class GuardedCalls:
    """Calls of one thing that may be away. An error of `failures` is its failure; any other says that it answered."""

    def __init__(
        self, name: str, breaker: Breaker, clock: Clock, *, failures: type[PassingError] = PassingError
    ) -> None:
        self.name = name
        self._breaker = breaker
        self._clock = clock
        self._failures = failures

    @property
    def breaker(self) -> Breaker:
        """As it stands."""
        return self._breaker

    async def call(self, work: Callable[[], Awaitable[T]]) -> T:
        """What the work returns. Raises `BreakerOpen` without calling it, and what it raises."""
        generation = self.enter()
        try:
            outcome = await work()
        except self._failures:
            self.failed(generation)
            raise
        except Exception:
            self.succeeded(generation)
            raise
        except BaseException:
            self._breaker = self._breaker.record_neither(generation)
            raise
        self.succeeded(generation)
        return outcome

    def enter(self) -> int:
        """Ask whether a call may pass, and give the generation that its outcome belongs to. Raises `BreakerOpen`."""
        now = self._clock.monotonic_seconds()
        allowed, self._breaker = self._breaker.allow(now)
        if not allowed:
            wait_seconds = self._breaker.retry_after_seconds(now)
            raise BreakerOpen(
                f"{self.name} failed {self._breaker.failures_in_a_row} times in a row; it is asked again in "
                f"{wait_seconds:.0f} s",
                retry_after_seconds=wait_seconds,
            )
        return self._breaker.generation

    def succeeded(self, generation: int | None = None) -> None:
        """A call succeeded."""
        self._set(self._breaker.record_success(generation))

    def failed(self, generation: int | None = None) -> None:
        """A call failed."""
        self._set(self._breaker.record_failure(self._clock.monotonic_seconds(), generation))

    def given_up(self, generation: int) -> None:
        """A call was given up by its caller."""
        self._breaker = self._breaker.record_neither(generation)

    def recovered(self) -> None:
        """Whoever keeps the connection has it again."""
        self._set(self._breaker.record_recovery())

    def _set(self, breaker: Breaker) -> None:
        if breaker.circuit is not self._breaker.circuit:
            log.warning("breaker.moved", breaker=self.name, circuit=breaker.circuit.value)
        self._breaker = breaker


class Breakers(Collector):
    """All breakers of a process."""

    def __init__(self) -> None:
        self._read: dict[str, Callable[[], Breaker]] = {}

    def watch(self, name: str, read: Callable[[], Breaker]) -> None:
        """Show this one, too."""
        self._read[name] = read

    def statuses(self) -> dict[str, Any]:
        """For status and health."""
        return {name: _described(read()) for name, read in self._read.items()}

    def collect(self) -> Iterable[Metric]:
        """As they stand."""
        state = GaugeMetricFamily(
            "aicompany_breaker_state", "1 for the state the breaker is in.", labels=("breaker", "state")
        )
        calls = CounterMetricFamily(
            "aicompany_breaker_calls", "Calls, by what became of them.", labels=("breaker", "outcome")
        )
        opened = CounterMetricFamily("aicompany_breaker_opened", "Times the breaker opened.", labels=("breaker",))
        for name, read in self._read.items():
            breaker = read()
            for circuit in Circuit:
                state.add_metric((name, circuit.value), float(breaker.circuit is circuit))
            for outcome in ("succeeded", "failed", "refused"):
                calls.add_metric((name, outcome), getattr(breaker.statistics, outcome))
            opened.add_metric((name,), breaker.statistics.opened)
        return (state, calls, opened)


def _described(breaker: Breaker) -> dict[str, Any]:
    return {
        "state": breaker.circuit.value,
        "failures_in_a_row": breaker.failures_in_a_row,
        "changes": breaker.generation,
        **asdict(breaker.statistics),
    }
