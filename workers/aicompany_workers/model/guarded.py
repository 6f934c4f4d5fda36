"""A model with a limit on calls in flight, a deadline for each, and a breaker that knows when to stop asking."""

import asyncio
from collections.abc import Callable

from aicompany.errors import AICompanyError, BreakerOpen, CredentialsInvalid, ModelUnavailable
from aicompany.ports.clock import Clock
from aicompany.ports.model import Model, ModelAnswer, ModelRequest
from aicompany.resilience.breaker import Breaker

_GRACE_SECONDS = 5.0
"""The adapter has its own time-out and says more about it; this one only makes sure."""


class GuardedModel:
    """`ports.model.Model` around another one."""

    def __init__(
        self,
        model: Model,
        *,
        breaker: Breaker,
        concurrency: int,
        clock: Clock,
        answered: Callable[[ModelAnswer], None] = lambda _: None,
    ) -> None:
        self._model = model
        self._breaker = breaker
        self._places = asyncio.Semaphore(concurrency)
        self._clock = clock
        self._answered = answered

    @property
    def is_offline(self) -> bool:
        """As the model inside."""
        return self._model.is_offline

    @property
    def breaker(self) -> Breaker:
        """The breaker as it stands, for status and metrics."""
        return self._breaker

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        """Ask once. Raises `BreakerOpen` besides what the model inside raises."""
        async with self._places:
            self._pass_breaker()
            try:
                async with asyncio.timeout(request.timeout_seconds + _GRACE_SECONDS):
                    answer = await self._model.answer(request)
            except TimeoutError as error:
                self._breaker = self._breaker.record_failure(self._clock.monotonic_seconds())
                raise ModelUnavailable(f"the model did not answer within {request.timeout_seconds:g} s") from error
            except ModelUnavailable:
                self._breaker = self._breaker.record_failure(self._clock.monotonic_seconds())
                raise
            except CredentialsInvalid:
                self._breaker = self._breaker.record_neither()
                raise
            except AICompanyError:
                # It answered, only not what was hoped for: the service is there.
                self._breaker = self._breaker.record_success()
                raise
            except BaseException:
                self._breaker = self._breaker.record_neither()
                raise
            self._breaker = self._breaker.record_success()
        self._answered(answer)
        return answer

    async def close(self) -> None:
        """Close the model inside."""
        await self._model.close()

    def _pass_breaker(self) -> None:
        now = self._clock.monotonic_seconds()
        allowed, self._breaker = self._breaker.allow(now)
        if not allowed:
            wait_seconds = self._breaker.retry_after_seconds(now)
            raise BreakerOpen(
                f"the model failed {self._breaker.failures_in_a_row} times in a row; it is asked again in "
                f"{wait_seconds:.0f} s",
                retry_after_seconds=wait_seconds,
            )
