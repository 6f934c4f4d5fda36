"""A decision as a value: what to do and the whole reason why."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Signal:
    """One thing that was looked at."""

    name: str
    value: float | None
    """`None`: unknown."""
    threshold: float
    calls_for_more: bool


@dataclass(frozen=True, slots=True)
class Reason:
    """Why: the signals, and in a sentence what was concluded."""

    summary: str
    signals: tuple[Signal, ...] = ()
