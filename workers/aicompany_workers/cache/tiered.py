"""`ports.cache.Cache` of two: a near one is asked before a far one, and learns from it."""

from aicompany.ports.cache import Cache, CacheStatistics, Entry


class TieredCache:
    """Memory before Redis, say. What another process keeps or drops is seen when the near entry is past its time."""

    def __init__(self, near: Cache, far: Cache) -> None:
        self._near = near
        self._far = far
        self._hits = self._misses = 0

    async def get(self, key: str) -> Entry | None:
        """The near entry if it is fresh, else the fresher one of both."""
        entry = await self._near.get(key)
        if entry is None or not entry.is_fresh:
            found = await self._far.get(key)
            if found is not None and (entry is None or found.fresh_seconds > entry.fresh_seconds):
                entry = found
                stale_seconds = found.kept_seconds - found.fresh_seconds
                await self._near.put(key, found.value, fresh_seconds=found.fresh_seconds, stale_seconds=stale_seconds)
        if entry is None:
            self._misses += 1
        else:
            self._hits += 1
        return entry

    async def put(self, key: str, value: bytes, *, fresh_seconds: float, stale_seconds: float = 0.0) -> None:
        """Keep it in both."""
        await self._near.put(key, value, fresh_seconds=fresh_seconds, stale_seconds=stale_seconds)
        await self._far.put(key, value, fresh_seconds=fresh_seconds, stale_seconds=stale_seconds)

    async def drop(self, key: str) -> None:
        """Forget the key in both."""
        await self._near.drop(key)
        await self._far.drop(key)

    def statistics(self) -> CacheStatistics:
        """Hits and misses of both as one; the near one's entries."""
        near, far = self._near.statistics(), self._far.statistics()
        return CacheStatistics(self._hits, self._misses, near.errors + far.errors, near.entries)

    async def close(self) -> None:
        """Close both."""
        await self._near.close()
        await self._far.close()
