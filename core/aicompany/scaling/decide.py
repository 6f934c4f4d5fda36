"""How many workers a group should have.

As many as the waiting messages call for: each worker has `concurrency` places, and so many messages as the threshold
says may wait per place before another worker is called. Never outside min..max, never fewer while something is unknown,
and after a change none in the other direction for the cool-down.

The threshold adapts: it rises by one when a worker that was added is taken away again soon (the queue would have
drained without it), and falls by one when the queue stays over it for several looks.
"""

import math
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from aicompany.decision import Reason, Signal
from aicompany.observation import Unknown
from aicompany.spec.scaling import ScalingSpec
from aicompany.spec.workers import WorkerSpec

_SOON_COOLDOWNS = 4
"""A worker that is taken away within so many cool-downs of being added was not needed."""
_LOOKS_OVER_MAX = 3
"""Looks over the threshold until it falls."""


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
    threshold: int | None = None
    """Waiting messages per place that call for another worker; `None`: as the policy begins."""
    looks_over: int = 0
    """Looks in a row at which more workers were called for."""


@dataclass(frozen=True, slots=True)
class ScaleDecision:
    """What the group should have, and why."""

    replicas: int
    reason: Reason
    at: datetime
    calls_for_more: bool = False
    """Whether more workers would be good, also where limits or the cool-down are in the way."""

    def changes(self, seen: GroupObservation) -> bool:
        """Whether it differs from what there is."""
        return self.replicas != seen.replicas


def decide_workers(
    seen: GroupObservation, past: ScalingHistory, policy: ScalingSpec, worker: WorkerSpec, now: datetime
) -> ScaleDecision:
    """The number of workers the group should have now."""

    def decision(replicas: int, summary: str, *signals: Signal, more: bool = False) -> ScaleDecision:
        return ScaleDecision(replicas, Reason(summary, signals), now, more)

    bounded = min(max(seen.replicas, worker.min), worker.max)
    if bounded != seen.replicas:
        return decision(bounded, f"{seen.replicas} is outside {worker.min}..{worker.max}")
    if isinstance(seen.waiting, Unknown):
        return decision(bounded, f"what waits is unknown ({seen.waiting.why}), so nothing changes")
    if isinstance(seen.in_flight, Unknown):
        return decision(bounded, f"what is at work is unknown ({seen.in_flight.why}), so nothing changes")
    per_place = threshold_of(past, policy)
    needed = _needed(seen.waiting, seen.in_flight, per_place, worker)
    wanted = min(max(needed, worker.min), worker.max)
    threshold = float(seen.replicas * worker.concurrency * per_place)
    is_over = needed > seen.replicas
    signal = Signal("waiting", float(seen.waiting), threshold, calls_for_more=is_over)
    picture = f"{seen.waiting} waiting (threshold {per_place} per place) and {seen.in_flight} at work"
    if wanted == seen.replicas:
        return decision(bounded, f"{picture} need no change", signal, more=is_over)
    direction = 1 if wanted > seen.replicas else -1
    left = _cooldown_left(past, direction, policy, now)
    if left > 0:
        return decision(bounded, f"{wanted} are wanted, but the cool-down has {left:.0f} s left", signal, more=is_over)
    return decision(wanted, f"{picture} call for {wanted}", signal, more=is_over)


def threshold_of(past: ScalingHistory, policy: ScalingSpec) -> int:
    """The threshold as it stands: waiting messages per place of a worker."""
    return policy.queue_per_worker if past.threshold is None else past.threshold


def remember(
    past: ScalingHistory, seen: GroupObservation, decided: ScaleDecision, policy: ScalingSpec
) -> ScalingHistory:
    """The history after a decision was carried out, with the threshold for the next one."""
    looks_over = past.looks_over + 1 if decided.calls_for_more else 0
    threshold = threshold_of(past, policy)
    highest = max(policy.queue_per_worker, policy.queue_per_worker_max)
    if _was_not_needed(past, seen, decided, policy):
        threshold = min(threshold + 1, highest)
    elif looks_over >= _LOOKS_OVER_MAX:
        threshold, looks_over = max(threshold - 1, policy.queue_per_worker), 0
    if not decided.changes(seen):
        return replace(past, threshold=threshold, looks_over=looks_over)
    direction = 1 if decided.replicas > seen.replicas else -1
    return ScalingHistory(decided.at, direction, threshold, looks_over)


def _was_not_needed(past: ScalingHistory, seen: GroupObservation, decided: ScaleDecision, policy: ScalingSpec) -> bool:
    if decided.replicas >= seen.replicas or past.last_direction != 1 or past.changed_at is None:
        return False
    return (decided.at - past.changed_at).total_seconds() <= _SOON_COOLDOWNS * policy.cooldown_seconds


def _needed(waiting: int, in_flight: int, per_place: int, worker: WorkerSpec) -> int:
    for_waiting = waiting / (worker.concurrency * per_place)
    for_work = in_flight / worker.concurrency
    return math.ceil(max(for_waiting, for_work))


def _cooldown_left(past: ScalingHistory, direction: int, policy: ScalingSpec, now: datetime) -> float:
    """Seconds; a change in the same direction as the last waits for nothing."""
    if past.changed_at is None or direction == past.last_direction:
        return 0.0
    return (past.changed_at + timedelta(seconds=policy.cooldown_seconds) - now).total_seconds()
