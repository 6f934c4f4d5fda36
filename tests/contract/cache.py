"""What every cache does. An adapter's test class brings the `cache` fixture and inherits the behaviour."""

import asyncio

from tests.waiting import eventually

from aicompany.ports.cache import Cache


class CacheContract:
    async def test_what_was_never_kept_is_not_there(self, cache: Cache) -> None:
        assert await cache.get("unknown") is None

    async def test_bytes_come_back_as_they_were_kept(self, cache: Cache) -> None:
        for value in (b"", b"words", bytes(range(256)), b"x" * 200_000):
            await cache.put("key", value, fresh_seconds=60)
            entry = await cache.get("key")
            assert entry is not None
            assert entry.value == value
            assert entry.is_fresh
            assert 50 < entry.fresh_seconds <= 60
            assert abs(entry.kept_seconds - entry.fresh_seconds) < 0.01

    async def test_keys_do_not_mix(self, cache: Cache) -> None:
        keys = ["a", "A", "a:b", "a b", "ä", "a\n", "*"]
        for key in keys:
            await cache.put(key, key.encode(), fresh_seconds=60)
        for key in keys:
            entry = await cache.get(key)
            assert entry is not None
            assert entry.value == key.encode()

    async def test_what_is_kept_again_replaces_value_and_times(self, cache: Cache) -> None:
        await cache.put("key", b"old", fresh_seconds=1000, stale_seconds=1000)
        await cache.put("key", b"new", fresh_seconds=5)
        entry = await cache.get("key")
        assert entry is not None
        assert (entry.value, entry.kept_seconds <= 5) == (b"new", True)

    async def test_past_its_time_it_is_stale_and_still_there(self, cache: Cache) -> None:
        await cache.put("key", b"value", fresh_seconds=0.05, stale_seconds=60)
        entry = await eventually(lambda: _stale(cache, "key"))
        assert entry.value == b"value"
        assert entry.fresh_seconds <= 0
        assert 50 < entry.kept_seconds <= 60

    async def test_after_its_stale_time_it_is_gone(self, cache: Cache) -> None:
        await cache.put("key", b"value", fresh_seconds=0.02, stale_seconds=0.02)
        await eventually(lambda: _gone(cache, "key"))

    async def test_what_is_dropped_is_gone(self, cache: Cache) -> None:
        await cache.put("key", b"value", fresh_seconds=60)
        await cache.put("other", b"value", fresh_seconds=60)
        await cache.drop("key")
        await cache.drop("never kept")
        assert await cache.get("key") is None
        assert await cache.get("other") is not None

    async def test_hits_and_misses_are_counted(self, cache: Cache) -> None:
        await cache.put("key", b"value", fresh_seconds=60)
        for key in ("key", "key", "unknown"):
            await cache.get(key)
        seen = cache.statistics()
        assert (seen.hits, seen.misses, seen.errors) == (2, 1, 0)
        assert seen.entries in {1, None}

    async def test_many_at_once_each_find_their_own(self, cache: Cache) -> None:
        async def keep_and_find(number: int) -> bytes | None:
            await cache.put(f"key{number}", str(number).encode(), fresh_seconds=60)
            entry = await cache.get(f"key{number}")
            return entry.value if entry else None

        found = await asyncio.gather(*(keep_and_find(number) for number in range(100)))
        assert found == [str(number).encode() for number in range(100)]

    async def test_a_cancelled_request_leaves_it_usable(self, cache: Cache) -> None:
        await cache.put("one", b"1", fresh_seconds=60)
        await cache.put("two", b"2", fresh_seconds=60)
        for _ in range(20):
            asking = asyncio.create_task(cache.get("one"))
            await asyncio.sleep(0)
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
            entry = await cache.get("two")
            assert entry is not None
            assert entry.value == b"2"

    async def test_closing_again_does_no_harm(self, cache: Cache) -> None:
        await cache.close()
        await cache.close()


async def _stale(cache: Cache, key: str):
    entry = await cache.get(key)
    assert entry is not None
    return None if entry.is_fresh else entry


async def _gone(cache: Cache, key: str) -> bool:
    return await cache.get(key) is None
