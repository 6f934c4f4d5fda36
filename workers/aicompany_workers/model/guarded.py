"""A model with a limit on calls in flight, a deadline for each, and a breaker that knows when to stop asking."""

import asyncio
from collections.abc import Callable

from aicompany.errors import AICompanyError, CredentialsInvalid, ModelOverloaded, ModelRateLimited, ModelUnavailable
from aicompany.ports.clock import Clock
from aicompany.ports.model import Model, ModelAnswer, ModelRequest
from aicompany.resilience.breaker import Breaker
from aicompany_workers.breakers import GuardedCalls

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
        self._calls = GuardedCalls("the model", breaker, clock)
        self._places = asyncio.Semaphore(concurrency)
        self._answered = answered
        self._asked = self._refused = 0

    @property
    def is_offline(self) -> bool:
        """As the model inside."""
        return self._model.is_offline

    @property
    def breaker(self) -> Breaker:
        """The breaker as it stands, for status and metrics."""
        return self._calls.breaker

    def calls(self) -> tuple[int, int]:
        """Calls so far, and those of them that the service refused for too much (429, 529)."""
        return self._asked, self._refused

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        """Ask once. Raises `BreakerOpen` besides what the model inside raises."""
        async with self._places:
            generation = self._calls.enter()
            self._asked += 1
            try:
                async with asyncio.timeout(request.timeout_seconds + _GRACE_SECONDS):
                    answer = await self._model.answer(request)
            except TimeoutError as error:
                self._calls.failed(generation)
                raise ModelUnavailable(f"the model did not answer within {request.timeout_seconds:g} s") from error
            except ModelUnavailable as error:
                self._refused += isinstance(error, ModelOverloaded)
                self._calls.failed(generation)
                raise
            except CredentialsInvalid:
                self._calls.given_up(generation)
                raise
            except AICompanyError as error:
                self._refused += isinstance(error, ModelRateLimited)
                # It answered, only not what was hoped for: the service is there.
                self._calls.succeeded(generation)
                raise
            except BaseException:
                self._calls.given_up(generation)
                raise
            self._calls.succeeded(generation)
        self._answered(answer)
        return answer

    async def close(self) -> None:
        """Close the model inside."""
        await self._model.close()
