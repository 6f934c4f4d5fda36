"""How many workers a group should have.

As many as the waiting messages call for: each worker has `concurrency` places, and `queue_per_worker` messages may
wait per place before another worker is called. Never outside min..max, never fewer while something is unknown, and
after a change none in the other direction for the cool-down.
"""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from aicompany.decision import Reason, Signal
from aicompany.observation import Unknown
from aicompany.spec.scaling import ScalingSpec
from aicompany.spec.workers import WorkerSpec


@dataclass(frozen=True, slots=True)
class GroupObservation:
    """A group of workers at one instant."""

    replicas: int
    waiting: int | Unknown
    """Messages that nobody has begun."""
    in_flight: int | Unknown
    """Messages that somebody works on."""


@dataclass(frozen=True, slots=True)
class ScalingHistory:
    """What was decided before."""

    changed_at: datetime | None = None
    last_direction: int = 0
    """+1 when the last change was up, -1 when it was down, 0 when there was none."""


@dataclass(frozen=True, slots=True)
class ScaleDecision:
    """What the group should have, and why."""

    replicas: int
    reason: Reason
    at: datetime

    def changes(self, seen: GroupObservation) -> bool:
        """Whether it differs from what there is."""
        return self.replicas != seen.replicas


def decide_workers(
    seen: GroupObservation, past: ScalingHistory, policy: ScalingSpec, worker: WorkerSpec, now: datetime
) -> ScaleDecision:
    """The number of workers the group should have now."""

    def decision(replicas: int, summary: str, *signals: Signal) -> ScaleDecision:
        return ScaleDecision(replicas, Reason(summary, signals), now)

    bounded = min(max(seen.replicas, worker.min), worker.max)
    if bounded != seen.replicas:
        return decision(bounded, f"{seen.replicas} is outside {worker.min}..{worker.max}")
    if isinstance(seen.waiting, Unknown):
        return decision(bounded, f"what waits is unknown ({seen.waiting.why}), so nothing changes")
    if isinstance(seen.in_flight, Unknown):
        return decision(bounded, f"what is at work is unknown ({seen.in_flight.why}), so nothing changes")
    needed = _needed(seen.waiting, seen.in_flight, policy, worker)
    wanted = min(max(needed, worker.min), worker.max)
    threshold = float(seen.replicas * worker.concurrency * policy.queue_per_worker)
    signal = Signal("waiting", float(seen.waiting), threshold, calls_for_more=wanted > seen.replicas)
    if wanted == seen.replicas:
        return decision(bounded, f"{seen.waiting} waiting and {seen.in_flight} at work need no change", signal)
    direction = 1 if wanted > seen.replicas else -1
    left = _cooldown_left(past, direction, policy, now)
    if left > 0:
        return decision(bounded, f"{wanted} are wanted, but the cool-down has {left:.0f} s left", signal)
    return decision(wanted, f"{seen.waiting} waiting and {seen.in_flight} at work call for {wanted}", signal)


def remember(past: ScalingHistory, seen: GroupObservation, decided: ScaleDecision) -> ScalingHistory:
    """The history after a decision was carried out."""
    if not decided.changes(seen):
        return past
    return ScalingHistory(decided.at, 1 if decided.replicas > seen.replicas else -1)


def _needed(waiting: int, in_flight: int, policy: ScalingSpec, worker: WorkerSpec) -> int:
    for_waiting = waiting / (worker.concurrency * policy.queue_per_worker)
    for_work = in_flight / worker.concurrency
    return math.ceil(max(for_waiting, for_work))


def _cooldown_left(past: ScalingHistory, direction: int, policy: ScalingSpec, now: datetime) -> float:
    """Seconds; a change in the same direction as the last waits for nothing."""
    if past.changed_at is None or direction == past.last_direction:
        return 0.0
    return (past.changed_at + timedelta(seconds=policy.cooldown_seconds) - now).total_seconds()
