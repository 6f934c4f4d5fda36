"""`ports.cache.Cache` in this process: the least recently used goes first."""

from collections import OrderedDict
from dataclasses import dataclass

from aicompany.ports.cache import CacheStatistics, Entry
from aicompany.ports.clock import Clock


@dataclass(frozen=True, slots=True)
class _Kept:
    value: bytes
    fresh_until: float
    gone_at: float


class MemoryCache:
    """At most `entries_max` entries."""

    def __init__(self, clock: Clock, *, entries_max: int) -> None:
        self._clock = clock
        self._entries_max = entries_max
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._hits = self._misses = 0

    async def get(self, key: str) -> Entry | None:
        """What is kept under the key."""
        now = self._clock.monotonic_seconds()
        kept = self._kept.get(key)
        if kept is None or now >= kept.gone_at:
            self._kept.pop(key, None)
            self._misses += 1
            return None
        self._kept.move_to_end(key)
        self._hits += 1
        return Entry(kept.value, kept.fresh_until - now, kept.gone_at - now)

    async def put(self, key: str, value: bytes, *, fresh_seconds: float, stale_seconds: float = 0.0) -> None:
        """Keep the value under the key."""
        fresh_until = self._clock.monotonic_seconds() + fresh_seconds
        self._kept[key] = _Kept(value, fresh_until, fresh_until + stale_seconds)
        self._kept.move_to_end(key)
        while len(self._kept) > self._entries_max:
            self._kept.popitem(last=False)

    async def drop(self, key: str) -> None:
        """Forget the key."""
        self._kept.pop(key, None)

    def statistics(self) -> CacheStatistics:
        """What it has done so far."""
        return CacheStatistics(hits=self._hits, misses=self._misses, entries=len(self._kept))

    async def close(self) -> None:
        """Forget everything."""
        self._kept.clear()
