"""A decorated function gives out what it returned before, for as long as it may."""

import asyncio

import pytest
from tests.manual_clock import ManualClock

from aicompany_workers.cache.cached_function import Origin, cached
from aicompany_workers.cache.memory import MemoryCache


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def cache(clock):
    return MemoryCache(clock, entries_max=100)


@pytest.fixture
def calls():
    return []


@pytest.fixture
def double(cache, clock, calls):
    @cached(
        cache,
        key=lambda number: f"double:{number}",
        write=lambda number: str(number).encode(),
        read=int,
        may_be_kept=lambda number: number != 26,
        fresh_seconds=10,
        stale_seconds=20,
        clock=clock,
    )
    async def double(number: int) -> int:
        calls.append(number)
        await asyncio.sleep(0)
        if number < 0:
            raise ValueError("negative")
        return number * 2

    return double


async def test_called_again_it_returns_what_it_returned(double, calls):
    assert [await double(2), await double(2), await double(3)] == [4, 4, 6]
    assert calls == [2, 3]


async def test_origins_and_counts(double, clock):
    assert (await double.obtain(2)).origin is Origin.MADE
    clock.advance(4)
    found = await double.obtain(2)
    assert (found.origin, found.value, found.fresh_seconds) == (Origin.FRESH, 4, 6)
    seen = double.statistics()
    assert (seen.hits, seen.misses, seen.stale_hits, seen.shared, seen.errors, seen.entries) == (1, 1, 0, 0, 0, 1)


async def test_past_its_time_it_is_made_again(double, clock, calls):
    await double(2)
    clock.advance(10)
    assert (await double.obtain(2)).origin is Origin.MADE
    assert calls == [2, 2]


async def test_stale_values_are_given_out_only_while_that_is_preferred(double, clock, calls):
    await double(2)
    clock.advance(15)
    double.prefer_cached(5)
    found = await double.obtain(2)
    assert (found.origin, found.value) == (Origin.STALE, 4)
    assert found.fresh_seconds < 0
    assert double.statistics().stale_hits == 1
    clock.advance(5)
    assert not double.prefers_cached
    assert (await double.obtain(2)).origin is Origin.MADE
    assert calls == [2, 2]


async def test_preferring_can_be_ended(double, clock):
    await double(2)
    clock.advance(15)
    double.prefer_cached(1000)
    double.prefer_cached(0)
    assert (await double.obtain(2)).origin is Origin.MADE


async def test_what_must_not_be_kept_is_made_each_time(double, calls):
    assert [await double(13), await double(13)] == [26, 26]
    assert calls == [13, 13]


async def test_errors_are_not_kept(double, calls):
    for _ in range(2):
        with pytest.raises(ValueError, match="negative"):
            await double(-1)
    assert calls == [-1, -1]


async def test_callers_at_once_share_one_call(double, calls):
    found = await asyncio.gather(*(double.obtain(2) for _ in range(5)))
    assert sorted(one.origin for one in found) == [Origin.MADE, *[Origin.SHARED] * 4]
    assert calls == [2]
    assert double.statistics().shared == 4


async def test_bytes_that_are_no_value_are_a_miss_and_go(double, cache, calls):
    await cache.put("double:2", b"garbage", fresh_seconds=10)
    assert await double(2) == 4
    assert double.statistics().errors == 1
    assert await double(2) == 4
    assert calls == [2]


async def test_what_is_forgotten_is_made_again(double, calls):
    await double(2)
    await double.forget(2)
    await double(2)
    assert calls == [2, 2]


async def test_renewing_starts_its_time_anew(double, clock, calls):
    await double(2)
    clock.advance(9)
    await double.renew(2)
    clock.advance(9)
    assert (await double.obtain(2)).origin is Origin.FRESH
    assert calls == [2, 2]
