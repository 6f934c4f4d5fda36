"""`ports.rate_limits.RateLimits` of one process."""

from collections.abc import Callable, Mapping

from aicompany.allowance import Amounts, LimitsTold, NoTurn, Turn
from aicompany.ports.clock import Clock
from aicompany.ports.rate_limits import LimitState, RateLimitStatistics
from aicompany.resilience.rate_limits import PERIOD_SECONDS, RateLimits
from aicompany.spec.servers import LimitsSpec


class MemoryRateLimits:
    """Limits by model, each beginning as `begin` says at a monotonic time."""

    def __init__(self, clock: Clock, begin: Callable[[str, float], RateLimits]) -> None:
        self._clock = clock
        self._begin = begin
        self._limits: dict[str, RateLimits] = {}
        self._turns = self._refused = 0

    @classmethod
    def of(cls, spec: LimitsSpec, clock: Clock) -> "MemoryRateLimits":
        """Unused limits, as far as a company's file sets them."""
        return cls(clock, lambda _, now_seconds: RateLimits.of(spec, now_seconds))

    async def reserve(
        self, model: str, *, input_tokens: float, output_tokens_max: float, wait_seconds_max: float
    ) -> Turn | NoTurn:
        """A turn for one call."""
        now = self._clock.monotonic_seconds()
        turn, self._limits[model] = self._of(model, now).reserve(
            model,
            input_tokens=input_tokens,
            output_tokens_max=output_tokens_max,
            wait_seconds_max=wait_seconds_max,
            now_seconds=now,
        )
        self._turns += isinstance(turn, Turn)
        self._refused += isinstance(turn, NoTurn)
        return turn

    async def settle(
        self,
        turn: Turn,
        used: Amounts,
        *,
        told: LimitsTold | None = None,
        slow_down: bool = False,
        retry_after_seconds: float | None = None,
    ) -> None:
        """The call of the turn has ended."""
        now = self._clock.monotonic_seconds()
        limits = self._of(turn.model, now).settle(turn, used, now)
        if told is not None:
            limits = limits.heed(told, now)
        if slow_down:
            limits = limits.pause(retry_after_seconds, now)
        self._limits[turn.model] = limits

    async def paused_seconds(self, model: str) -> float:
        """How long nobody may ask."""
        now = self._clock.monotonic_seconds()
        return max(0.0, self._of(model, now).paused_until - now)

    def limits_of(self, model: str) -> RateLimits:
        """The limits of a model as they stand."""
        return self._of(model, self._clock.monotonic_seconds())

    def statistics(self) -> RateLimitStatistics:
        """As it stands."""
        now = self._clock.monotonic_seconds()
        return RateLimitStatistics(
            shared=False,
            limits=states_of(self._limits, now),
            paused_seconds={model: max(0.0, limits.paused_until - now) for model, limits in self._limits.items()},
            turns=self._turns,
            refused=self._refused,
        )

    async def close(self) -> None:
        """Nothing to let go of."""

    def _of(self, model: str, now_seconds: float) -> RateLimits:
        limits = self._limits.get(model)
        return limits if limits is not None else self._begin(model, now_seconds)


def states_of(limits: Mapping[str, RateLimits], now_seconds: float) -> dict[str, dict[str, LimitState]]:
    """All limits as they stand, by model and measure."""
    return {
        model: {
            measure.value: LimitState(bucket.rate * PERIOD_SECONDS, bucket.at(now_seconds).level)
            for measure, bucket in known.buckets.items()
        }
        for model, known in limits.items()
    }
