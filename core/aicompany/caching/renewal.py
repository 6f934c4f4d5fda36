"""Which answers are renewed before they expire."""

from collections.abc import Iterable
from dataclasses import dataclass

from aicompany.ports.question_history import Expiring
from aicompany.spec.servers import CacheSpec

_HORIZON_PART = 0.1
_HORIZON_SECONDS_MIN = 1.0
_HORIZON_SECONDS_MAX = 300.0


@dataclass(frozen=True, slots=True)
class RenewalPolicy:
    """When an answer is renewed."""

    asked_min: int
    per_minute_max: int
    """Of the whole company."""
    horizon_seconds: float
    """An answer that is good no longer than this expires soon."""

    @classmethod
    def of(cls, spec: CacheSpec) -> "RenewalPolicy":
        """The policy a company's file asks for: the last tenth of an answer's time, at most five minutes."""
        horizon = min(_HORIZON_SECONDS_MAX, max(_HORIZON_SECONDS_MIN, spec.ttl_seconds * _HORIZON_PART))
        return cls(spec.preload_asked_min, spec.preload_max, horizon)


def decide_renewals(expiring: Iterable[Expiring], policy: RenewalPolicy) -> list[str]:
    """The keys to renew now: what was asked often enough and expires soon; most asked first, then soonest."""
    due = [
        question
        for question in expiring
        if question.asked >= policy.asked_min and 0 < question.fresh_seconds <= policy.horizon_seconds
    ]
    due.sort(key=lambda question: (-question.asked, question.fresh_seconds, question.key))
    return [question.key for question in due[: policy.per_minute_max]]
