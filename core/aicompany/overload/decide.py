"""Which step of overload a process is in.

Pressure is the largest of the signals, each as a share of what counts as overload. At 1 or above for `enter_looks`
looks in a row one more step is taken; at `leave_share` or below for `leave_looks` looks in a row the last one is
taken back; between the two nothing moves, so that no figure near a threshold makes the steps flap. A signal that is
unknown neither raises nor lowers.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from aicompany.decision import Reason, Signal
from aicompany.observation import Unknown
from aicompany.spec.overload import OverloadSpec


class OverloadStep(StrEnum):
    """What is left out; each step includes those before it."""

    NONE = "none"
    LOW_LANE_PAUSED = "low_lane_paused"
    """Messages of the low lane stay in their queues."""
    CACHED_ANSWERS_PREFERRED = "cached_answers_preferred"
    """Kept answers are given out also past their time."""
    SMALLER_MODEL = "smaller_model"
    """Steps are carried out by a cheaper model."""
    LOW_ORDERS_REFUSED = "low_orders_refused"
    """The gateway takes no new order of the low lane."""

    @property
    def level(self) -> int:
        """0 for none."""
        return STEPS.index(self)

    def includes(self, step: "OverloadStep") -> bool:
        """Whether what `step` leaves out is left out now."""
        return self.level >= step.level


STEPS: tuple[OverloadStep, ...] = tuple(OverloadStep)


@dataclass(frozen=True, slots=True)
class OverloadObservation:
    """A process and its queues at one instant."""

    waiting_per_place: float | Unknown
    """Ready messages above the low lane, per place. The low lane does not count: while it is paused it only grows."""
    refused_share: float | Unknown
    """Of the model calls since the last look, those that the service refused (429, 529); 0 when there was none."""
    breaker_open: bool | Unknown
    """Whether the model is left alone now. False as soon as a trial may be made, or nothing would make it."""


@dataclass(frozen=True, slots=True)
class OverloadHistory:
    """Where it stood, and what the looks since the last change showed."""

    step: OverloadStep = OverloadStep.NONE
    pressed_looks: int = 0
    """In a row, up to now."""
    calm_looks: int = 0
    """In a row, up to now."""


@dataclass(frozen=True, slots=True)
class OverloadDecision:
    """The step from now on, and why."""

    step: OverloadStep
    reason: Reason
    history: OverloadHistory
    """For the next decision."""
    at: datetime


def decide_overload(
    seen: OverloadObservation, past: OverloadHistory, policy: OverloadSpec, now: datetime
) -> OverloadDecision:
    """The step from now on: the one before, or one further up or down."""
    signals = _signals(seen, policy)
    known = [signal.value / signal.threshold for signal in signals if signal.value is not None]
    pressed = any(signal.calls_for_more for signal in signals)
    calm = not pressed and len(known) == len(signals) and max(known) <= policy.leave_share
    pressed_looks = past.pressed_looks + 1 if pressed else 0
    calm_looks = past.calm_looks + 1 if calm else 0

    def decision(step: OverloadStep, summary: str) -> OverloadDecision:
        moved = step is not past.step
        history = OverloadHistory(step, 0, 0) if moved else OverloadHistory(step, pressed_looks, calm_looks)
        return OverloadDecision(step, Reason(summary, signals), history, now)

    level = past.step.level
    if pressed_looks >= policy.enter_looks and level < len(STEPS) - 1:
        return decision(STEPS[level + 1], f"{_names(signals)} called for less in {pressed_looks} looks in a row")
    if calm_looks >= policy.leave_looks and level > 0:
        return decision(STEPS[level - 1], f"nothing pressed in {calm_looks} looks in a row")
    if pressed:
        return decision(past.step, f"{_names(signals)} presses, in {pressed_looks} looks in a row")
    if calm:
        return decision(past.step, "nothing presses")
    if len(known) < len(signals):
        return decision(past.step, "something is unknown, so nothing changes")
    return decision(past.step, "it presses less, but not little enough to change anything")


def _signals(seen: OverloadObservation, policy: OverloadSpec) -> tuple[Signal, ...]:
    return (
        _signal("waiting_per_place", seen.waiting_per_place, policy.waiting_per_place),
        _signal("refused_share", seen.refused_share, policy.refused_share),
        _signal("model_breaker_open", seen.breaker_open, 1.0),
    )


def _signal(name: str, value: float | Unknown, threshold: float) -> Signal:
    if isinstance(value, Unknown):
        return Signal(name, None, threshold, calls_for_more=False)
    return Signal(name, float(value), threshold, calls_for_more=value >= threshold)


def _names(signals: tuple[Signal, ...]) -> str:
    return " and ".join(signal.name for signal in signals if signal.calls_for_more)
