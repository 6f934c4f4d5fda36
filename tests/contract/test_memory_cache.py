"""The memory cache keeps the contract, and no more than it may."""

import pytest
from tests.contract.cache import CacheContract
from tests.manual_clock import ManualClock

from aicompany_workers.cache.memory import MemoryCache
from aicompany_workers.clock import SystemClock


@pytest.fixture
def cache():
    return MemoryCache(SystemClock(), entries_max=1000)


class TestMemoryCache(CacheContract):
    async def test_the_least_recently_used_goes_first(self):
        cache = MemoryCache(SystemClock(), entries_max=3)
        for key in "abc":
            await cache.put(key, b"", fresh_seconds=60)
        await cache.get("a")
        await cache.put("b", b"", fresh_seconds=60)
        await cache.put("d", b"", fresh_seconds=60)
        assert [key for key in "abcd" if await cache.get(key)] == ["a", "b", "d"]
        assert cache.statistics().entries == 3

    async def test_times_are_those_of_its_clock(self):
        clock = ManualClock()
        cache = MemoryCache(clock, entries_max=3)
        await cache.put("key", b"v", fresh_seconds=10, stale_seconds=5)
        clock.advance(9)
        entry = await cache.get("key")
        assert (entry.fresh_seconds, entry.kept_seconds, entry.is_fresh) == (1, 6, True)
        clock.advance(1)
        entry = await cache.get("key")
        assert (entry.fresh_seconds, entry.kept_seconds, entry.is_fresh) == (0, 5, False)
        clock.advance(5)
        assert await cache.get("key") is None
        assert cache.statistics().entries == 0
