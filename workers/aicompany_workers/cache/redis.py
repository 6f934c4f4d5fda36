"""`ports.cache.Cache` on Redis or Valkey.

A value is stored with the length of its stale time before it; the key's own expiry is the one clock, the server's.
"""

import struct
from typing import Any

from redis.asyncio import Redis

from aicompany.ports.cache import CacheStatistics, Entry
from aicompany_workers.redis_server import RedisAway, RedisServer

_STALE = struct.Struct(">Q")
"""Milliseconds after its good time that an entry is still kept."""


class RedisCache:
    """Entries under `prefix`; a company has one of its own."""

    def __init__(self, server: RedisServer, *, prefix: str) -> None:
        self._server = server
        self._prefix = prefix
        self._hits = self._misses = self._errors = 0

    async def get(self, key: str) -> Entry | None:
        """What is kept under the key; nothing when the server is away."""
        name = self._prefix + key

        async def read(client: Redis) -> list[Any]:
            async with client.pipeline(transaction=True) as pipeline:
                pipeline.get(name)
                pipeline.pttl(name)
                return list(await pipeline.execute())

        try:
            value, left_ms = await self._server.ask(read)
        except RedisAway:
            self._errors += 1
            self._misses += 1
            return None
        if not isinstance(value, bytes) or not isinstance(left_ms, int) or left_ms <= 0 or len(value) < _STALE.size:
            self._misses += 1
            return None
        self._hits += 1
        (stale_ms,) = _STALE.unpack_from(value)
        return Entry(value[_STALE.size :], (left_ms - stale_ms) / 1000, left_ms / 1000)

    async def put(self, key: str, value: bytes, *, fresh_seconds: float, stale_seconds: float = 0.0) -> None:
        """Keep the value under the key, if the server is there."""
        stale_ms = round(stale_seconds * 1000)
        stored = _STALE.pack(stale_ms) + value
        expiry_ms = max(1, round(fresh_seconds * 1000) + stale_ms)
        try:
            await self._server.ask(lambda client: client.set(self._prefix + key, stored, px=expiry_ms))
        except RedisAway:
            self._errors += 1

    async def drop(self, key: str) -> None:
        """Forget the key, if the server is there."""
        try:
            await self._server.ask(lambda client: client.delete(self._prefix + key))
        except RedisAway:
            self._errors += 1

    def statistics(self) -> CacheStatistics:
        """What it has done so far; how much the server holds is not counted."""
        return CacheStatistics(hits=self._hits, misses=self._misses, errors=self._errors)

    async def close(self) -> None:
        """Close the server's connections, which its other users lose as well."""
        await self._server.close()
