"""A decorator that keeps what an asynchronous function returns.

    @cached(cache, key=str, write=str.encode, read=bytes.decode, fresh_seconds=60, clock=clock)
    async def look_up(name: str) -> str: ...

Callers of one key at the same time share one call. What is past its time may still be given out while
`prefer_cached` asks for it.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, ParamSpec, TypeVar

import structlog

from aicompany.ports.cache import Cache
from aicompany.ports.clock import Clock
from aicompany_workers.cache.single_flight import SingleFlight

P = ParamSpec("P")
R = TypeVar("R")

log = structlog.get_logger()


class Origin(StrEnum):
    """Where a value comes from."""

    MADE = "made"
    """The function was called."""
    FRESH = "fresh"
    """It was kept."""
    STALE = "stale"
    """It was kept, and is past its time."""
    SHARED = "shared"
    """Somebody else asked for it at the same time."""


@dataclass(frozen=True, slots=True)
class Obtained(Generic[R]):
    """A value and its origin."""

    key: str
    value: R
    origin: Origin
    fresh_seconds: float
    """How long it is still good in the cache; 0 or less when it is not kept, or past its time."""


@dataclass(frozen=True, slots=True)
class KeptStatistics:
    """What keeping has brought since the start of the process."""

    hits: int
    misses: int
    stale_hits: int
    shared: int
    errors: int
    entries: int | None
    """Kept now in this process."""


class CachedFunction(Generic[P, R]):
    """A function whose results are kept. Called, it is that function."""

    def __init__(
        self,
        function: Callable[P, Awaitable[R]],
        cache: Cache,
        *,
        key: Callable[P, str],
        write: Callable[[R], bytes],
        read: Callable[[bytes], R],
        may_be_kept: Callable[[R], bool],
        fresh_seconds: float,
        stale_seconds: float,
        clock: Clock,
        own_errors: tuple[type[Exception], ...],
    ) -> None:
        self._function = function
        self._cache = cache
        self._key = key
        self._write = write
        self._read = read
        self._may_be_kept = may_be_kept
        self._fresh_seconds = fresh_seconds
        self._stale_seconds = stale_seconds
        self._clock = clock
        self._flights: SingleFlight[Obtained[R]] = SingleFlight(own_errors)
        self._prefers_cached_until = float("-inf")
        self._hits = self._misses = self._stale_hits = self._unreadable = 0

    async def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """The value. Raises what the function raises."""
        return (await self.obtain(*args, **kwargs)).value

    async def obtain(self, *args: P.args, **kwargs: P.kwargs) -> Obtained[R]:
        """The value with its origin."""
        key = self._key(*args, **kwargs)

        async def obtain() -> Obtained[R]:
            return await self._kept(key) or await self._make(key, *args, **kwargs)

        obtained, shared = await self._flights.run(key, obtain)
        if shared and obtained.origin is Origin.MADE:
            return Obtained(key, obtained.value, Origin.SHARED, obtained.fresh_seconds)
        return obtained

    async def renew(self, *args: P.args, **kwargs: P.kwargs) -> Obtained[R]:
        """Call the function whatever is kept, and keep what it returns. Nobody who asks meanwhile waits for it."""
        return await self._make(self._key(*args, **kwargs), *args, **kwargs)

    async def forget(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """Keep it no longer: what was kept turned out to be of no use."""
        await self._cache.drop(self._key(*args, **kwargs))

    @property
    def prefers_cached(self) -> bool:
        """Whether values past their time are given out now."""
        return self._clock.monotonic_seconds() < self._prefers_cached_until

    def prefer_cached(self, seconds: float) -> None:
        """For so long from now, give out also what is past its time rather than call the function; 0 ends it."""
        self._prefers_cached_until = self._clock.monotonic_seconds() + seconds

    def statistics(self) -> KeptStatistics:
        """What keeping has brought so far."""
        tiers = self._cache.statistics()
        return KeptStatistics(
            hits=self._hits,
            misses=self._misses,
            stale_hits=self._stale_hits,
            shared=self._flights.shared_total,
            errors=tiers.errors + self._unreadable,
            entries=tiers.entries,
        )

    async def _kept(self, key: str) -> Obtained[R] | None:
        entry = await self._cache.get(key)
        if entry is None or not (entry.is_fresh or self.prefers_cached):
            self._misses += 1
            return None
        try:
            value = self._read(entry.value)
        except ValueError as error:
            # Written by another version, or by somebody else: as good as nothing.
            self._unreadable += 1
            self._misses += 1
            log.warning("cache.unreadable", key=key, reason=type(error).__name__)
            await self._cache.drop(key)
            return None
        if entry.is_fresh:
            self._hits += 1
            return Obtained(key, value, Origin.FRESH, entry.fresh_seconds)
        self._stale_hits += 1
        return Obtained(key, value, Origin.STALE, entry.fresh_seconds)

    async def _make(self, key: str, *args: P.args, **kwargs: P.kwargs) -> Obtained[R]:
        value = await self._function(*args, **kwargs)
        if not self._may_be_kept(value):
            return Obtained(key, value, Origin.MADE, 0.0)
        await self._cache.put(
            key, self._write(value), fresh_seconds=self._fresh_seconds, stale_seconds=self._stale_seconds
        )
        return Obtained(key, value, Origin.MADE, self._fresh_seconds)


def cached(
    cache: Cache,
    *,
    key: Callable[P, str],
    write: Callable[[R], bytes],
    read: Callable[[bytes], R],
    fresh_seconds: float,
    clock: Clock,
    stale_seconds: float = 0.0,
    may_be_kept: Callable[[R], bool] = lambda _: True,
    own_errors: tuple[type[Exception], ...] = (),
) -> Callable[[Callable[P, Awaitable[R]]], CachedFunction[P, R]]:
    """A decorator that keeps what the function returns under `key` of its arguments.

    `write` and `read` turn a value into bytes and back; `read` raises `ValueError` for bytes that are no value. Errors
    go to all who share a call, but for `own_errors`, which concern only the caller who made it.
    """

    def decorate(function: Callable[P, Awaitable[R]]) -> CachedFunction[P, R]:
        return CachedFunction(
            function,
            cache,
            key=key,
            write=write,
            read=read,
            may_be_kept=may_be_kept,
            fresh_seconds=fresh_seconds,
            stale_seconds=stale_seconds,
            clock=clock,
            own_errors=own_errors,
        )

    return decorate
