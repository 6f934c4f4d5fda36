"""Retry: what to do with a message whose handling failed.

Delay before try n + 1 is `delay_seconds · factor^(n - 1)`, at most `delay_seconds_max`, spread by jitter; a wait that
the other side asked for is kept whatever its length.
"""

from dataclasses import dataclass

from aicompany.errors import AICompanyError, BreakerOpen, PassingError, PermanentError, TurnTooFar, UserError
from aicompany.failure import Failure
from aicompany.spec.work import RetrySpec


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how patiently."""

    attempts_max: int = 3
    delay_seconds: float = 1.0
    factor: float = 2.0
    delay_seconds_max: float = 300.0
    jitter: float = 0.2
    """Part of the delay that is random, 0 to 1."""

    @classmethod
    def of(cls, spec: RetrySpec) -> "RetryPolicy":
        """The policy a company's file asks for."""
        return cls(spec.attempts_max, spec.delay_seconds, spec.factor, spec.delay_seconds_max, spec.jitter)

    def delay_after(self, attempt: int, jitter: float) -> float:
        """Seconds to wait after the failed try number `attempt` (from 1), for a `jitter` drawn from [0, 1)."""
        # The exponent is bounded because a float power overflows long before the delay matters.
        plain = min(self.delay_seconds * self.factor ** min(attempt - 1, 64), self.delay_seconds_max)
        return plain * (1 - self.jitter + 2 * self.jitter * jitter)


@dataclass(frozen=True, slots=True)
class Retry:
    """Try again later; it counts as a try."""

    attempt: int
    """The try that failed."""
    delay_seconds: float
    failure: Failure


@dataclass(frozen=True, slots=True)
class Postpone:
    """Try again later; it was not tried at all, so it does not count."""

    delay_seconds: float
    reason: str


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Trying again would not help, or was done often enough."""

    failure: Failure


def decide_retry(error: Exception, *, attempt: int, policy: RetryPolicy, jitter: float) -> Retry | Postpone | GiveUp:
    """What follows from a failed try number `attempt` (from 1). `jitter` is drawn from [0, 1)."""
    if isinstance(error, BreakerOpen | TurnTooFar):
        return Postpone(error.retry_after_seconds or policy.delay_after(attempt, jitter), error.message)
    failure = failure_of(error)
    if failure.permanent or attempt >= policy.attempts_max:
        return GiveUp(failure)
    wished = error.retry_after_seconds if isinstance(error, PassingError) else None
    return Retry(attempt, max(policy.delay_after(attempt, jitter), wished or 0.0), failure)


def failure_of(error: Exception) -> Failure:
    """The error as a value. A bug shows only its class, because nobody knows what its text may hold."""
    if isinstance(error, AICompanyError):
        permanent = isinstance(error, PermanentError | UserError)
        return Failure(code=error.code, message=error.message, permanent=permanent)
    return Failure(
        code="defect", message=f"a bug in the program ({type(error).__name__}); the log has its trace", permanent=False
    )
