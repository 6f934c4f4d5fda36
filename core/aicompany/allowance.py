"""What the model's service allows in a minute: amounts, what it said of its limits, and a caller's turn."""

from dataclasses import dataclass
from enum import StrEnum


class Measure(StrEnum):
    """What the service counts, each in a token bucket that fills up in one minute."""

    REQUESTS = "requests"
    INPUT_TOKENS = "input_tokens"
    OUTPUT_TOKENS = "output_tokens"


@dataclass(frozen=True, slots=True)
class Amounts:
    """So much of each."""

    requests: float = 0.0
    input_tokens: float = 0.0
    output_tokens: float = 0.0

    def of(self, measure: Measure) -> float:
        """The amount of one."""
        match measure:
            case Measure.REQUESTS:
                return self.requests
            case Measure.INPUT_TOKENS:
                return self.input_tokens
            case Measure.OUTPUT_TOKENS:
                return self.output_tokens


@dataclass(frozen=True, slots=True)
class WindowTold:
    """What the service said of one of its limits."""

    limit: float
    """A minute."""
    remaining: float
    """When it was said; tokens are rounded to thousands."""
    full_in_seconds: float | None = None
    """When the limit is untouched again, if nothing more is taken; `None` when that was not said."""

    def shared_by(self, callers: int) -> "WindowTold":
        """One caller's part of it."""
        return WindowTold(self.limit / callers, self.remaining / callers, self.full_in_seconds)


@dataclass(frozen=True, slots=True)
class LimitsTold:
    """What the service said of its limits with one answer, or with one error."""

    model: str
    requests: WindowTold | None = None
    input_tokens: WindowTold | None = None
    output_tokens: WindowTold | None = None
    age_seconds: float = 0.0
    """Longest time since it was said: a service may count when a call comes in and tell when it ends."""

    def of(self, measure: Measure) -> WindowTold | None:
        """What was said of one of them."""
        match measure:
            case Measure.REQUESTS:
                return self.requests
            case Measure.INPUT_TOKENS:
                return self.input_tokens
            case Measure.OUTPUT_TOKENS:
                return self.output_tokens

    def shared_by(self, callers: int) -> "LimitsTold":
        """One caller's part of it, when so many callers cannot speak with each other."""
        parts = {measure.value: window.shared_by(callers) for measure in Measure if (window := self.of(measure))}
        return LimitsTold(self.model, age_seconds=self.age_seconds, **parts)


@dataclass(frozen=True, slots=True)
class Turn:
    """A caller may ask the model after `wait_seconds`; its amounts are taken already."""

    model: str
    reserved: Amounts
    counted: frozenset[Measure]
    """Whose limit was known, so that the reserved amount was really taken from it."""
    wait_seconds: float


@dataclass(frozen=True, slots=True)
class NoTurn:
    """It would take longer than the caller waits; nothing was taken."""

    retry_after_seconds: float
