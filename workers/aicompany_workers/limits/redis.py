"""`ports.rate_limits.RateLimits` on Redis or Valkey: one set of limits for all workers, on the server's clock.

While the server is away each process keeps to its share: the limits as they were known last, divided by how many
callers there were.
"""

import hashlib
import json
from dataclasses import replace
from typing import Any, cast

import structlog
from redis.asyncio import Redis
from redis.exceptions import NoScriptError

from aicompany.allowance import Amounts, LimitsTold, NoTurn, Turn
from aicompany.ports.clock import Clock
from aicompany.ports.rate_limits import RateLimitStatistics
from aicompany.resilience.rate_limits import RateLimits
from aicompany.spec.servers import LimitsSpec
from aicompany_workers.limits.memory import MemoryRateLimits, states_of
from aicompany_workers.limits.script import LUA, limits_of, question, settlement, turn_of
from aicompany_workers.redis_server import RedisAway, RedisServer

_DIGEST = hashlib.sha1(LUA.encode(), usedforsecurity=False).hexdigest()
"""By which the server knows a script that it has run before."""

log = structlog.get_logger()


class RedisRateLimits:
    """Limits under `prefix`, shared by all who use the same key of the model's service.

    `caller` names this process among them; `callers` is how many there are, as long as the server has not said so.
    """

    def __init__(
        self, server: RedisServer, spec: LimitsSpec, clock: Clock, *, prefix: str, caller: str, callers: int = 1
    ) -> None:
        self._server = server
        self._spec = spec
        self._clock = clock
        self._prefix = prefix
        self._caller = caller
        self._callers = max(1, callers)
        self._seen: dict[str, RateLimits] = {}
        """Limits by model as the server said last."""
        self._alone: MemoryRateLimits | None = None
        """This process's share, while the server is away."""
        self._turns = self._refused = self._errors = 0

    async def reserve(
        self, model: str, *, input_tokens: float, output_tokens_max: float, wait_seconds_max: float
    ) -> Turn | NoTurn:
        """A turn for one call."""
        wish = {
            "input_tokens": input_tokens,
            "output_tokens_max": output_tokens_max,
            "wait_seconds_max": wait_seconds_max,
        }
        try:
            answer = await self._ask(model, act="reserve", caller=self._caller, **wish)
            turn = turn_of(answer, model)
        except RedisAway:
            turn = await self._share().reserve(model, **wish)
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
        act = settlement(turn, used, told, slow_down=slow_down, retry_after_seconds=retry_after_seconds)
        try:
            await self._ask(turn.model, **act)
        except RedisAway:
            part = told.shared_by(self._callers) if told else None
            await self._share().settle(
                turn, used, told=part, slow_down=slow_down, retry_after_seconds=retry_after_seconds
            )

    async def paused_seconds(self, model: str) -> float:
        """How long nobody may ask."""
        try:
            return float((await self._ask(model, act="look"))["paused_seconds"])
        except RedisAway:
            return await self._share().paused_seconds(model)

    def statistics(self) -> RateLimitStatistics:
        """As it stands: the shared limits as the server said last, or this process's share of them."""
        counts: dict[str, Any] = {"turns": self._turns, "refused": self._refused, "errors": self._errors}
        if self._alone is not None:
            return replace(self._alone.statistics(), share_of=self._callers, **counts)
        now = self._clock.monotonic_seconds()
        return RateLimitStatistics(
            shared=True,
            limits=states_of(self._seen, now),
            paused_seconds={model: max(0.0, limits.paused_until - now) for model, limits in self._seen.items()},
            **counts,
        )

    async def close(self) -> None:
        """Close the server's connections, which its other users lose as well."""
        await self._server.close()

    async def _ask(self, model: str, **act: object) -> dict[str, Any]:
        now = self._clock.monotonic_seconds()
        asked = question(self._known(model, now), now, **act)
        keys = (f"{self._prefix}limits:{model}", f"{self._prefix}callers")
        try:
            answer = json.loads(await self._server.ask(lambda client: _run(client, keys, asked)))
        except RedisAway:
            self._errors += 1
            raise
        self._callers = max(1, answer["callers"])
        now = self._clock.monotonic_seconds()
        self._seen[model] = limits_of(answer, RateLimits.of(self._spec, now), now)
        if self._alone is not None:
            self._alone = None
            log.info("limits.shared_again", callers=self._callers)
        return cast("dict[str, Any]", answer)

    def _known(self, model: str, now_seconds: float) -> RateLimits:
        """The whole limits as far as they are known here: what the server begins with when it has lost them."""
        if self._alone is not None:
            return self._alone.limits_of(model).scaled(self._callers, now_seconds)
        return self._seen.get(model) or RateLimits.of(self._spec, now_seconds)

    def _share(self) -> MemoryRateLimits:
        if self._alone is None:
            log.warning("limits.not_shared", share_of=self._callers)
            seen, callers = dict(self._seen), self._callers

            def begin(model: str, now_seconds: float) -> RateLimits:
                whole = seen.get(model) or RateLimits.of(self._spec, now_seconds)
                return whole.scaled(1 / callers, now_seconds)

            self._alone = MemoryRateLimits(self._clock, begin)
        return self._alone


async def _run(client: Redis, keys: tuple[str, str], asked: str) -> bytes:
    try:
        return cast("bytes", await client.evalsha(_DIGEST, len(keys), *keys, asked))
    except NoScriptError:
        return cast("bytes", await client.eval(LUA, len(keys), *keys, asked))
