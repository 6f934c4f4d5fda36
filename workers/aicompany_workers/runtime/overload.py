"""Overload in a process: looks, lets core decide, and lets everybody know."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from aicompany.decision import Reason
from aicompany.errors import AICompanyError
from aicompany.messaging.lanes import Lane
from aicompany.observation import Unknown
from aicompany.overload.decide import (
    OverloadDecision,
    OverloadHistory,
    OverloadObservation,
    OverloadStep,
    decide_overload,
)
from aicompany.ports.clock import Clock
from aicompany.resilience.breaker import Breaker, Circuit
from aicompany.spec.overload import OverloadSpec

log = structlog.get_logger()


@dataclass(eq=False)
class Overload(Collector):
    """What is left out now. Whoever leaves something out asks here each time."""

    spec: OverloadSpec
    step: OverloadStep = OverloadStep.NONE
    reason: Reason = field(default_factory=lambda: Reason("nothing was looked at yet"))
    _listeners: list[Callable[[], None]] = field(default_factory=list)

    @property
    def paused_lanes(self) -> frozenset[Lane]:
        """Lanes of which nothing is begun."""
        is_paused = self.step.includes(OverloadStep.LOW_LANE_PAUSED)
        return frozenset({Lane.LOW}) if is_paused else frozenset()

    @property
    def refuses_low_orders(self) -> bool:
        """Whether the gateway takes orders for the low lane."""
        return self.step.includes(OverloadStep.LOW_ORDERS_REFUSED)

    def model_for(self, wanted: str) -> str:
        """The model to ask when this one is wanted."""
        if self.spec.smaller_model is not None and self.step.includes(OverloadStep.SMALLER_MODEL):
            return self.spec.smaller_model
        return wanted

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call when a step was taken or taken back."""
        self._listeners.append(listener)

    def set(self, decision: OverloadDecision) -> None:
        """From now on this is left out."""
        before, self.step, self.reason = self.step, decision.step, decision.reason
        if before is not decision.step:
            log.warning(
                "overload.moved", before=before.value, after=decision.step.value, reason=decision.reason.summary
            )
            for listener in self._listeners:
                listener()

    def status(self) -> dict[str, str]:
        """For status and health."""
        return {"step": self.step.value, "why": self.reason.summary}

    def collect(self) -> list[GaugeMetricFamily]:
        """As it stands."""
        steps = GaugeMetricFamily("aicompany_overload_step", "1 for each step that is taken.", labels=("step",))
        for step in OverloadStep:
            if step is not OverloadStep.NONE:
                steps.add_metric((step.value,), float(self.step.includes(step)))
        return [steps]


@dataclass(slots=True)
class OverloadLoop:
    """Looks every few seconds until cancelled."""

    overload: Overload
    clock: Clock
    waiting: Callable[[], Awaitable[int]]
    """Messages above the low lane that nobody has begun. Raises `AICompanyError` when unknown."""
    places: Callable[[], Awaitable[int]]
    """Messages that the workers of these queues can work on at the same time."""
    model_calls: Callable[[], tuple[int, int]]
    """Calls so far, and those of them that the service refused for too much."""
    model_breaker: Callable[[], Breaker]
    prefer_cached: Callable[[float], None]
    """For so many seconds; 0 ends it."""
    _history: OverloadHistory = field(default_factory=OverloadHistory)
    _calls: tuple[int, int] = (0, 0)

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self.look_once()
            await asyncio.sleep(self.overload.spec.interval_seconds)

    async def look_once(self) -> None:
        """One look."""
        seen = OverloadObservation(await self._waiting_per_place(), self._refused_share(), self._is_breaker_open())
        before = self._history.step
        decided = decide_overload(seen, self._history, self.overload.spec, self.clock.now())
        self._history = decided.history
        self.overload.set(decided)
        if decided.step.includes(OverloadStep.CACHED_ANSWERS_PREFERRED):
            # A little longer than to the next look, so that a process that looks no more goes back by itself.
            self.prefer_cached(2 * self.overload.spec.interval_seconds)
        elif before.includes(OverloadStep.CACHED_ANSWERS_PREFERRED):
            self.prefer_cached(0)

    async def _waiting_per_place(self) -> float | Unknown:
        try:
            waiting, places = await self.waiting(), await self.places()
        except AICompanyError as error:
            return Unknown(error.message)
        return Unknown("no worker says that it is there") if waiting and not places else waiting / max(1, places)

    def _refused_share(self) -> float:
        """Of the calls since the last look; when there was none, none was refused."""
        (calls, refused), before = self.model_calls(), self._calls
        self._calls = calls, refused
        asked = calls - before[0]
        return (refused - before[1]) / asked if asked else 0.0

    def _is_breaker_open(self) -> bool:
        breaker = self.model_breaker()
        return breaker.circuit is Circuit.OPEN and breaker.retry_after_seconds(self.clock.monotonic_seconds()) > 0
