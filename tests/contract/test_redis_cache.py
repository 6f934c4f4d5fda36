"""The Redis cache, alone and behind memory, keeps the contract; a server that is away costs a miss and nothing else."""

import asyncio
import itertools
import os
import signal
import time

import pytest
from tests.contract.cache import CacheContract
from tests.servers.redis import redis_server
from tests.waiting import eventually

from aicompany.resilience.breaker import Breaker
from aicompany_workers.cache.memory import MemoryCache
from aicompany_workers.cache.redis import RedisCache
from aicompany_workers.cache.tiered import TieredCache
from aicompany_workers.clock import SystemClock
from aicompany_workers.redis_server import RedisServer

_prefixes = (f"test-{os.getpid()}-{number}:" for number in itertools.count())


def server_at(url, *, timeout_seconds=2.0, breaker=None):
    return RedisServer(url, timeout_seconds=timeout_seconds, breaker=breaker or Breaker(), clock=SystemClock())


@pytest.fixture
async def server(redis_url):
    server = server_at(redis_url)
    yield server
    await server.close()


@pytest.fixture
def cache(server):
    return RedisCache(server, prefix=next(_prefixes))


class TestRedisCache(CacheContract):
    async def test_prefixes_keep_companies_apart(self, server):
        one, other = (RedisCache(server, prefix=next(_prefixes)) for _ in range(2))
        await one.put("key", b"one", fresh_seconds=60)
        assert await other.get("key") is None
        assert (await one.get("key")).value == b"one"

    async def test_what_others_wrote_there_is_nothing(self, server, redis_url):
        prefix = next(_prefixes)
        await server.ask(lambda client: client.set(f"{prefix}key", b"x", px=60_000))
        await server.ask(lambda client: client.set(f"{prefix}for ever", b"x" * 100))
        cache = RedisCache(server, prefix=prefix)
        assert await cache.get("key") is None
        assert await cache.get("for ever") is None


class TestTieredCache(CacheContract):
    @pytest.fixture
    def cache(self, server):
        return TieredCache(MemoryCache(SystemClock(), entries_max=1000), RedisCache(server, prefix=next(_prefixes)))

    async def test_the_near_one_learns_from_the_far_one(self, server):
        near, far = MemoryCache(SystemClock(), entries_max=10), RedisCache(server, prefix=next(_prefixes))
        tiered = TieredCache(near, far)
        await far.put("key", b"far", fresh_seconds=60, stale_seconds=30)
        assert (await tiered.get("key")).value == b"far"
        entry = await near.get("key")
        assert entry.value == b"far"
        assert 25 < entry.kept_seconds - entry.fresh_seconds < 35

    async def test_what_another_process_renewed_is_found_when_the_near_entry_is_past_its_time(self, server):
        near, far = MemoryCache(SystemClock(), entries_max=10), RedisCache(server, prefix=next(_prefixes))
        tiered = TieredCache(near, far)
        await tiered.put("key", b"old", fresh_seconds=0.02, stale_seconds=60)
        await far.put("key", b"renewed", fresh_seconds=60, stale_seconds=60)
        await eventually(lambda: _value(tiered, b"renewed"))
        assert (await near.get("key")).value == b"renewed"

    async def test_without_the_far_one_a_stale_entry_is_still_there(self):
        away = RedisCache(server_at("redis://127.0.0.1:9/0"), prefix="")
        tiered = TieredCache(MemoryCache(SystemClock(), entries_max=10), away)
        await tiered.put("key", b"value", fresh_seconds=0.01, stale_seconds=60)
        entry = await eventually(lambda: _not_fresh(tiered))
        assert entry.value == b"value"
        assert tiered.statistics().errors > 0


async def _value(cache, value):
    entry = await cache.get("key")
    return entry is not None and entry.value == value


async def _not_fresh(cache):
    entry = await cache.get("key")
    return None if entry is None or entry.is_fresh else entry


async def test_a_server_that_is_away_costs_a_miss_and_after_a_few_nothing_at_all():
    server = server_at("redis://127.0.0.1:9/0", breaker=Breaker(failures_max=3, open_seconds=60))
    cache = RedisCache(server, prefix="")
    began = time.monotonic()
    for _ in range(200):
        assert await cache.get("key") is None
        await cache.put("key", b"value", fresh_seconds=60)
    assert time.monotonic() - began < 2
    assert cache.statistics().errors == 400
    assert server.describe()["refused_total"] == 397
    await cache.close()


async def test_a_crowd_of_callers_is_no_failure_of_the_servers(redis_url):
    server = server_at(redis_url, timeout_seconds=1, breaker=Breaker(failures_max=1, open_seconds=60))
    cache = RedisCache(server, prefix=next(_prefixes))
    await cache.put("key", b"value", fresh_seconds=60)
    await asyncio.gather(*(cache.get("key") for _ in range(3000)))
    assert server.describe()["breaker"] == "closed"
    assert await cache.get("key") is not None
    await cache.close()


async def test_a_process_that_is_too_busy_to_listen_blames_nobody(redis_url):
    server = server_at(redis_url, timeout_seconds=0.05, breaker=Breaker(failures_max=1, open_seconds=60))
    cache = RedisCache(server, prefix=next(_prefixes))
    for _ in range(5):
        asked = [asyncio.create_task(cache.get("key")) for _ in range(10)]
        await asyncio.sleep(0)
        busy_until = time.monotonic() + 0.1
        while time.monotonic() < busy_until:
            pass
        await asyncio.gather(*asked)
    assert server.describe()["breaker"] == "closed"
    await cache.close()


async def test_a_server_that_hangs_costs_its_time_limit_and_no_more(tmp_path):
    process = redis_server(tmp_path)
    process.start()
    try:
        server = server_at(process.url, timeout_seconds=0.1, breaker=Breaker(failures_max=3, open_seconds=60))
        cache = RedisCache(server, prefix="")
        await cache.put("key", b"value", fresh_seconds=60)
        os.kill(process.pid, signal.SIGSTOP)
        began = time.monotonic()
        assert await asyncio.gather(*(cache.get("key") for _ in range(50))) == [None] * 50
        assert await cache.get("key") is None
        assert time.monotonic() - began < 1.5
        assert server.describe()["breaker"] == "open"
        await cache.close()
    finally:
        os.kill(process.pid, signal.SIGCONT)
        process.end()


async def test_answers_that_come_too_late_are_nobodys(tmp_path):
    process = redis_server(tmp_path)
    process.start()
    try:
        server = server_at(process.url, timeout_seconds=0.1, breaker=Breaker(failures_max=1000))
        cache = RedisCache(server, prefix="")
        for number in range(20):
            await cache.put(str(number), str(number).encode(), fresh_seconds=60)
        os.kill(process.pid, signal.SIGSTOP)
        asked = [asyncio.create_task(cache.get(str(number))) for number in range(20)]
        await asyncio.gather(*asked)
        os.kill(process.pid, signal.SIGCONT)

        async def all_their_own():
            entries = await asyncio.gather(*(cache.get(str(number)) for number in range(20)))
            values = [entry.value if entry else None for entry in entries]
            assert all(value in {None, str(number).encode()} for number, value in enumerate(values))
            return None not in values

        await eventually(all_their_own)
        await cache.close()
    finally:
        os.kill(process.pid, signal.SIGCONT)
        process.end()


async def test_after_the_server_came_back_it_is_used_again(tmp_path):
    process = redis_server(tmp_path)
    process.start()
    try:
        server = server_at(process.url, breaker=Breaker(failures_max=2, open_seconds=0.05))
        cache = RedisCache(server, prefix="")
        await cache.put("key", b"value", fresh_seconds=60)
        assert await cache.get("key") is not None
        process.kill()
        for _ in range(5):
            assert await cache.get("key") is None
        assert server.describe()["opened_total"] >= 1
        process.start()

        async def kept_again():
            await cache.put("key", b"again", fresh_seconds=60)
            entry = await cache.get("key")
            return entry is not None and entry.value == b"again"

        await eventually(kept_again)
        assert server.describe()["breaker"] == "closed"
        await cache.close()
    finally:
        process.end()
