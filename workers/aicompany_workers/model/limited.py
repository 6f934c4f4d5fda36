"""A model that is asked no faster than its service allows."""

import asyncio
from typing import Any

from aicompany.allowance import Amounts, Turn
from aicompany.errors import BreakerOpen, ModelRateLimited, PassingError, PermanentError, TurnTooFar
from aicompany.ports.clock import Clock
from aicompany.ports.model import Model, ModelAnswer, ModelRequest, OpaqueBlock, TextBlock, ToolResultBlock
from aicompany.ports.rate_limits import RateLimits, RateLimitStatistics
from aicompany.usage import Usage
from aicompany_workers.model.limits_heard import LimitsHeard

_CHARACTERS_PER_TOKEN = 4
_NOTHING = Amounts()


class LimitedModel:
    """`ports.model.Model` around another one.

    A call waits for its turn for at most as long as it would wait for the answer. Callers of a model in this process
    wait in one line, and its first waits among those of the other processes, so that no call is overtaken for ever.
    """

    def __init__(self, model: Model, limits: RateLimits, heard: LimitsHeard, clock: Clock) -> None:
        self._model = model
        self._limits = limits
        self._heard = heard
        self._clock = clock
        self._lines: dict[str, asyncio.Lock] = {}
        self._waiting = 0
        self._waited_seconds = 0.0

    @property
    def is_offline(self) -> bool:
        """As the model inside."""
        return self._model.is_offline

    @property
    def waiting(self) -> int:
        """Calls that wait for their turn."""
        return self._waiting

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        """Ask once, when it is its turn.

        Raises `TurnTooFar` (a `ModelRateLimited`) when that comes too late, besides what the model inside raises.
        """
        if self._model.is_offline:
            return await self._model.answer(request)
        turn = await self._turn(request)
        try:
            answer = await self._model.answer(request)
        except ModelRateLimited as error:
            await self._settle(turn, _NOTHING, slow_down=True, retry_after_seconds=error.retry_after_seconds)
            raise
        except (BreakerOpen, PermanentError):
            # It never reached the service, or was sent back unread.
            await self._settle(turn, _NOTHING)
            raise
        except PassingError as error:
            # Nobody knows how far it got; a wish to be left alone is kept.
            wish = error.retry_after_seconds
            await self._settle(turn, turn.reserved, slow_down=wish is not None, retry_after_seconds=wish)
            raise
        await self._settle(turn, _used(answer.usage))
        return answer

    async def close(self) -> None:
        """Close the model inside. The limits are closed by whoever opened them."""
        await self._model.close()

    def statistics(self) -> RateLimitStatistics:
        """The limits as they stand, for metrics."""
        return self._limits.statistics()

    def describe(self) -> dict[str, Any]:
        """For status."""
        seen = self.statistics()
        return {
            "shared": seen.shared,
            "share_of": seen.share_of,
            "waiting": self._waiting,
            "waited_seconds": round(self._waited_seconds, 3),
            "turns": seen.turns,
            "refused": seen.refused,
            "errors": seen.errors,
            "models": {
                model: {
                    "paused_seconds": round(seen.paused_seconds.get(model, 0.0), 3),
                    **{
                        measure: {"per_minute": round(state.limit), "left": round(state.level)}
                        for measure, state in limits.items()
                    },
                }
                for model, limits in seen.limits.items()
            },
        }

    async def _turn(self, request: ModelRequest) -> Turn:
        """The turn of the call, waited for."""
        began = self._clock.monotonic_seconds()
        line = self._lines.setdefault(request.model, asyncio.Lock())
        self._waiting += 1
        try:
            try:
                async with asyncio.timeout(request.timeout_seconds):
                    await line.acquire()
            except TimeoutError:
                raise _too_far(request, await self._limits.paused_seconds(request.model)) from None
            try:
                return await self._first_in_line(request, began)
            finally:
                line.release()
        finally:
            self._waiting -= 1
            self._waited_seconds += self._clock.monotonic_seconds() - began

    async def _first_in_line(self, request: ModelRequest, began: float) -> Turn:
        left_seconds = request.timeout_seconds - (self._clock.monotonic_seconds() - began)
        turn = await self._limits.reserve(
            request.model,
            input_tokens=expected_input_tokens(request),
            output_tokens_max=request.max_tokens,
            wait_seconds_max=max(0.0, left_seconds),
        )
        if not isinstance(turn, Turn):
            raise _too_far(request, turn.retry_after_seconds)
        if turn.wait_seconds > 0:
            await self._wait(turn, request, began + request.timeout_seconds)
        return turn

    async def _wait(self, turn: Turn, request: ModelRequest, until: float) -> None:
        """Wait for the turn. Whoever gives up waiting, for whatever reason, gives its place back."""
        try:
            await self._sleep(turn.wait_seconds, request, until)
        except BaseException:
            await self._limits.settle(turn, _NOTHING)
            raise

    async def _sleep(self, seconds: float, request: ModelRequest, until: float) -> None:
        """Sleep so long, and to the end of a pause that the service asked somebody else for meanwhile."""
        while seconds > 0:
            await asyncio.sleep(seconds)
            seconds = await self._limits.paused_seconds(request.model)
            if seconds > max(0.0, until - self._clock.monotonic_seconds()):
                raise _too_far(request, seconds)

    async def _settle(
        self, turn: Turn, used: Amounts, *, slow_down: bool = False, retry_after_seconds: float | None = None
    ) -> None:
        told = self._heard.take(turn.model)
        await self._limits.settle(turn, used, told=told, slow_down=slow_down, retry_after_seconds=retry_after_seconds)


def expected_input_tokens(request: ModelRequest) -> float:
    """Tokens that the request is read as: a fourth of its characters, which is near enough until it is settled."""
    characters = len(request.system) + sum(
        len(tool.name) + len(tool.description) + len(str(tool.input_schema)) for tool in request.tools
    )
    for message in request.messages:
        for block in message.content:
            match block:
                case TextBlock(text=text):
                    characters += len(text)
                case ToolResultBlock(content=content):
                    characters += len(content)
                case OpaqueBlock(data=data):
                    characters += len(str(data))
                case _:
                    characters += len(str(block.input))
    return max(1.0, characters / _CHARACTERS_PER_TOKEN)


def _used(usage: Usage) -> Amounts:
    """What counts against the limits: what was read from the provider's prompt cache does not."""
    return Amounts(1.0, usage.input_tokens + usage.cache_write_tokens, usage.output_tokens)


def _too_far(request: ModelRequest, wait_seconds: float) -> TurnTooFar:
    wait_seconds = max(1.0, wait_seconds)
    return TurnTooFar(
        f"{request.model} is asked as often as its service allows; the turn comes in {wait_seconds:.0f} s, later than "
        f"the call may wait ({request.timeout_seconds:g} s)",
        retry_after_seconds=wait_seconds,
    )
