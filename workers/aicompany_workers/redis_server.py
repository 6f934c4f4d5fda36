"""One Redis (or Valkey), asked carefully: waits are short, and after a few failures it is left alone for a while."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import structlog
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from aicompany.ports.clock import Clock
from aicompany.resilience.breaker import Breaker, Circuit

T = TypeVar("T")

_CONNECTIONS_MAX = 16
"""From one process. Requests are short, so that hundreds of callers get along with few."""
_LATE = 1.2
"""A time limit that strikes so many times too late shows that our own loop stood still."""

log = structlog.get_logger()


class RedisAway(Exception):
    """The server did not answer in time, or is left alone for now."""


class RedisServer:
    """A server that may be away at any time. Adapters share one, so that its state is known once a process."""

    def __init__(self, url: str, *, timeout_seconds: float, breaker: Breaker, clock: Clock) -> None:
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=_CONNECTIONS_MAX,
            timeout=timeout_seconds,
            socket_timeout=timeout_seconds,
            socket_connect_timeout=timeout_seconds,
            # Whether to try again is decided here, once.
            retry=Retry(NoBackoff(), 0),
        )
        self._client: Redis = Redis.from_pool(pool)
        self._places = asyncio.Semaphore(_CONNECTIONS_MAX)
        self._timeout_seconds = timeout_seconds
        self._breaker = breaker
        self._clock = clock

    @property
    def breaker(self) -> Breaker:
        """The breaker as it stands, for status and metrics."""
        return self._breaker

    async def ask(self, command: Callable[[Redis], Awaitable[T]]) -> T:
        """What the server answers. Raises `RedisAway`, at once while it is left alone."""
        try:
            async with asyncio.timeout(self._timeout_seconds):
                await self._places.acquire()
        except TimeoutError as error:
            # Too many ask at once here; that is no failure of the server's.
            raise RedisAway from error
        try:
            return await self._ask(command)
        finally:
            self._places.release()

    async def _ask(self, command: Callable[[Redis], Awaitable[T]]) -> T:
        began = self._clock.monotonic_seconds()
        allowed, self._breaker = self._breaker.allow(began)
        if not allowed:
            raise RedisAway
        generation = self._breaker.generation
        try:
            async with asyncio.timeout(self._timeout_seconds):
                answer = await command(self._client)
        except (RedisError, OSError, TimeoutError) as error:
            if self._clock.monotonic_seconds() - began > self._timeout_seconds * _LATE:
                # This process was too busy to look at the answer in time; that says nothing of the server.
                self._breaker = self._breaker.record_neither(generation)
            else:
                self._failed(error, generation)
            raise RedisAway from error
        except BaseException:
            self._breaker = self._breaker.record_neither(generation)
            raise
        self._succeeded(generation)
        return answer

    async def close(self) -> None:
        """Close the connections. Idempotent."""
        await self._client.aclose(close_connection_pool=True)

    def describe(self) -> dict[str, Any]:
        """For status: where the breaker stands."""
        return {
            "breaker": self._breaker.circuit.value,
            "failures_in_a_row": self._breaker.failures_in_a_row,
            "opened_total": self._breaker.statistics.opened,
            "refused_total": self._breaker.statistics.refused,
        }

    def _failed(self, error: Exception, generation: int) -> None:
        before = self._breaker.circuit
        self._breaker = self._breaker.record_failure(self._clock.monotonic_seconds(), generation)
        if self._breaker.circuit is Circuit.OPEN and before is Circuit.CLOSED:
            # The class alone: the text of a connection's error may hold the address with its password.
            log.warning("redis.left_alone", reason=type(error).__name__, seconds=self._breaker.open_seconds)

    def _succeeded(self, generation: int) -> None:
        before = self._breaker.circuit
        self._breaker = self._breaker.record_success(generation)
        if self._breaker.circuit is Circuit.CLOSED and before is Circuit.HALF_OPEN:
            log.info("redis.answers_again")
