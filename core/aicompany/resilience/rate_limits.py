"""Rate limits of a model's service, as one set of callers knows them at one instant.

The service counts requests, input tokens and output tokens in token buckets that hold a minute's allowance and fill up
continuously (https://platform.claude.com/docs/en/api/rate-limits). The same buckets are kept here. A caller reserves
what it expects to use before the call and settles with what it used; what the service says with each answer lowers a
bucket that was thought fuller, and teaches limits that nobody had set.

A bucket here is never raised by what the service says: it would have to know which calls the service had not seen yet
when it said so. That costs nothing: a bucket that is never full yields its whole rate, whatever its level.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from aicompany.allowance import Amounts, LimitsTold, Measure, NoTurn, Turn, WindowTold
from aicompany.resilience.token_bucket import TokenBucket
from aicompany.spec.servers import LimitsSpec

PERIOD_SECONDS = 60.0
START_CALLS = 20.0
START_CALLS_PER_SECOND = 10.0
"""Before the service has answered once nobody knows its limits: so many calls at once, and so many more a second."""
MARGIN = 0.02
"""Part of each limit that is left to the service: calls are under way that it has not counted yet, and callers who wait
have taken what it still sees. It is lost once, when a bucket that was full is emptied; the rate is the whole."""
OUTPUT_TOKENS_GUESS = 500.0
"""Output tokens of an answer, before there was one."""
OUTPUT_MEAN_WEIGHT = 0.05
"""Of the newest answer in the mean of output tokens: about the last twenty count."""
PAUSE_SECONDS = 2.0
"""After "too many requests" without a wish how long to wait."""
_RESET_SECONDS = 1.0
"""Reset times are whole seconds."""


@dataclass(frozen=True, slots=True)
class RateLimits:
    """The limits of one model. Times are seconds of one clock that all callers share."""

    wished: Mapping[Measure, float] = field(default_factory=dict)
    """A minute, as the company's file says: never more than these."""
    buckets: Mapping[Measure, TokenBucket] = field(default_factory=dict)
    """Of the limits that are known."""
    start: TokenBucket | None = None
    """Calls, while no limit of requests is known and the service has not answered."""
    paused_until: float = 0.0
    output_mean: float = OUTPUT_TOKENS_GUESS

    @classmethod
    def of(cls, spec: LimitsSpec, now_seconds: float) -> "RateLimits":
        """Unused limits, as far as a company's file sets them."""
        wished = wished_limits(spec)
        buckets = {measure: bucket_of(limit, now_seconds) for measure, limit in wished.items()}
        start = None if buckets else _start_bucket(now_seconds)
        return cls(wished, buckets, start, now_seconds)

    def reserve(
        self, model: str, *, input_tokens: float, output_tokens_max: float, wait_seconds_max: float, now_seconds: float
    ) -> "tuple[Turn | NoTurn, RateLimits]":
        """A turn for a call of so many input tokens and at most so many output tokens, and the limits after it.

        What comes is expected to be as long as the mean of recent answers. Callers are served in the order they ask:
        a turn that lies ahead is taken from the buckets at once.
        """
        wanted = Amounts(1.0, input_tokens, min(output_tokens_max, self.output_mean))
        waits = [bucket.wait_seconds(wanted.of(measure), now_seconds) for measure, bucket in self.buckets.items()]
        if self.start is not None:
            waits.append(self.start.wait_seconds(1.0, now_seconds))
        wait_seconds = max(0.0, self.paused_until - now_seconds, *waits)
        if wait_seconds > wait_seconds_max:
            return NoTurn(wait_seconds), self
        buckets = {measure: bucket.reserve(wanted.of(measure), now_seconds) for measure, bucket in self.buckets.items()}
        start = self.start.reserve(1.0, now_seconds) if self.start else None
        turn = Turn(model, wanted, frozenset(buckets), wait_seconds)
        return turn, replace(self, buckets=buckets, start=start)

    def settle(self, turn: Turn, used: Amounts, now_seconds: float) -> "RateLimits":
        """The limits after a call ended that used so much; nothing when it never reached the service.

        A limit that was learnt while the call was under way has its request and input in what the service said, but
        its output not.
        """
        buckets = dict(self.buckets)
        for measure, bucket in self.buckets.items():
            if measure in turn.counted:
                difference = turn.reserved.of(measure) - used.of(measure)
                buckets[measure] = bucket.put_back(difference, now_seconds)
            elif measure is Measure.OUTPUT_TOKENS:
                buckets[measure] = bucket.put_back(-used.of(measure), now_seconds)
        mean = self.output_mean
        if used.output_tokens > 0:
            mean += OUTPUT_MEAN_WEIGHT * (used.output_tokens - mean)
        answered = used.requests > 0
        return replace(self, buckets=buckets, output_mean=mean, start=None if answered else self.start)

    def heed(self, told: LimitsTold, now_seconds: float) -> "RateLimits":
        """The limits after the service said something of them."""
        buckets = dict(self.buckets)
        for measure in Measure:
            window = told.of(measure)
            if window is not None and window.limit > 0:
                level = level_at_most(window, told.age_seconds)
                limit = min(window.limit, self.wished.get(measure, window.limit))
                bucket = self.buckets.get(measure)
                changed = bucket_of(limit, now_seconds)
                if bucket is None:
                    bucket = changed
                elif bucket.rate != changed.rate:
                    bucket = changed.lowered_to(bucket.at(now_seconds).level, now_seconds)
                buckets[measure] = bucket.lowered_to(level, now_seconds)
        return replace(self, buckets=buckets, start=self.start if buckets == self.buckets else None)

    def pause(self, seconds: float | None, now_seconds: float) -> "RateLimits":
        """The limits after the service asked everybody to wait, for so long if it said how long.

        Where no limit is known the calls after the pause begin as few as at the start.
        """
        until = max(self.paused_until, now_seconds + (PAUSE_SECONDS if seconds is None else seconds))
        start = self.start if self.buckets else _start_bucket(now_seconds)
        return replace(self, paused_until=until, start=start)

    def scaled(self, factor: float, now_seconds: float) -> "RateLimits":
        """The limits with everything so many times as large: the share of one caller, or the whole of a share."""

        def part(bucket: TokenBucket) -> TokenBucket:
            now = bucket.at(now_seconds)
            return replace(now, capacity=now.capacity * factor, rate=now.rate * factor, level=now.level * factor)

        return replace(
            self,
            wished={measure: limit * factor for measure, limit in self.wished.items()},
            buckets={measure: part(bucket) for measure, bucket in self.buckets.items()},
            start=part(self.start) if self.start else None,
        )


def wished_limits(spec: LimitsSpec) -> dict[Measure, float]:
    """The limits a company's file sets, a minute."""
    limits = {
        Measure.REQUESTS: spec.requests_per_minute,
        Measure.INPUT_TOKENS: spec.input_tokens_per_minute,
        Measure.OUTPUT_TOKENS: spec.output_tokens_per_minute,
    }
    return {measure: float(limit) for measure, limit in limits.items() if limit is not None}


def level_at_most(window: WindowTold, age_seconds: float) -> float:
    """The most that can be left now of what the service said up to `age_seconds` ago, without the margin.

    Two bounds hold: what remained and what has flowed in since; and what is missing until the limit is untouched
    again, which the service reckons by its own clock.
    """
    rate = window.limit / PERIOD_SECONDS
    level = window.remaining + rate * age_seconds
    if window.full_in_seconds is not None:
        level = min(level, window.limit - rate * max(0.0, window.full_in_seconds - _RESET_SECONDS))
    return level - window.limit * MARGIN


def bucket_of(limit: float, now_seconds: float) -> TokenBucket:
    """The bucket of an unused limit."""
    return TokenBucket.full(capacity=limit * (1 - MARGIN), rate=limit / PERIOD_SECONDS, now_seconds=now_seconds)


def _start_bucket(now_seconds: float) -> TokenBucket:
    return TokenBucket.full(capacity=START_CALLS, rate=START_CALLS_PER_SECOND, now_seconds=now_seconds)
