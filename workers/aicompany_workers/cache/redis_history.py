"""`ports.question_history.QuestionHistory` on Redis or Valkey: shared by all who share its prefix.

`<prefix>due` orders the questions by when their answers expire, `<prefix>question:<key>` holds count and text,
`<prefix>claim:<key>` says that somebody renews it, `<prefix>claims` holds those of the last minute. All times are the
server's.
"""

from collections.abc import Sequence
from typing import Any, cast

from redis.asyncio import Redis

from aicompany.ports.question_history import Asked, Expiring
from aicompany_workers.redis_server import RedisAway, RedisServer

_NOW = "local t = redis.call('TIME'); local now = t[1] * 1000 + math.floor(t[2] / 1000)\n"
_NOTE = (
    _NOW
    + """
local due, question = KEYS[1], KEYS[2]
local key, times, fresh, is_new = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local text, most, prefix = ARGV[5], ARGV[6], ARGV[7]
if is_new == '1' then redis.call('HSET', question, 'asked', times)
else redis.call('HINCRBY', question, 'asked', times) end
redis.call('HSETNX', question, 'text', text)
if redis.call('PTTL', question) < fresh + 60000 then redis.call('PEXPIRE', question, fresh + 60000) end
redis.call('ZADD', due, 'GT', now + fresh, key)
if redis.call('PTTL', due) < fresh + 60000 then redis.call('PEXPIRE', due, fresh + 60000) end
local over = redis.call('ZCARD', due) - tonumber(most)
if over > 0 then
  local gone = redis.call('ZPOPMIN', due, over)
  for i = 1, #gone, 2 do redis.call('DEL', prefix .. 'question:' .. gone[i]) end
end
"""
)
_EXPIRING = (
    _NOW
    + """
local due, within, limit, prefix = KEYS[1], tonumber(ARGV[1]), ARGV[2], ARGV[3]
redis.call('ZREMRANGEBYSCORE', due, '-inf', now)
local found, answer = redis.call('ZRANGEBYSCORE', due, now, now + within, 'WITHSCORES', 'LIMIT', 0, limit), {}
for i = 1, #found, 2 do
  local asked = redis.call('HGET', prefix .. 'question:' .. found[i], 'asked')
  if asked then answer[#answer + 1] = {found[i], tonumber(asked), found[i + 1] - now} end
end
return answer
"""
)
_CLAIM = (
    _NOW
    + """
local claim, claims, question = KEYS[1], KEYS[2], KEYS[3]
local key, lasts, most = ARGV[1], ARGV[2], tonumber(ARGV[3])
redis.call('ZREMRANGEBYSCORE', claims, '-inf', now - 60000)
local text = redis.call('HGET', question, 'text')
if not text or redis.call('ZCARD', claims) >= most then return false end
if not redis.call('SET', claim, '1', 'NX', 'PX', lasts) then return false end
redis.call('ZADD', claims, now, key .. ':' .. now)
redis.call('PEXPIRE', claims, 60000)
return text
"""
)


class RedisQuestionHistory:
    """At most `questions_max` questions; those whose answers expire soonest go first."""

    def __init__(self, server: RedisServer, *, prefix: str, questions_max: int) -> None:
        self._server = server
        self._prefix = prefix
        self._questions_max = questions_max

    async def note(self, asked: Sequence[Asked]) -> None:
        """Add to the counts, all in one round trip."""
        if not asked:
            return

        async def write(client: Redis) -> None:
            async with client.pipeline(transaction=False) as pipeline:
                for one in asked:
                    keys = (f"{self._prefix}due", f"{self._prefix}question:{one.key}")
                    fresh_ms = round(one.fresh_seconds * 1000)
                    rest = (one.question, self._questions_max, self._prefix)
                    pipeline.eval(_NOTE, len(keys), *keys, one.key, one.times, fresh_ms, int(one.is_new), *rest)
                await pipeline.execute()

        await self._ask(write)

    async def expiring(self, *, within_seconds: float, limit: int) -> list[Expiring]:
        """Questions whose answers expire soon, soonest first."""
        within_ms = round(within_seconds * 1000)
        found = await self._ask(
            lambda client: client.eval(_EXPIRING, 1, f"{self._prefix}due", within_ms, limit, self._prefix)
        )
        return [Expiring(key.decode(), asked, left_ms / 1000) for key, asked, left_ms in found or ()]

    async def claim(self, key: str, *, seconds: float, per_minute_max: int) -> bytes | None:
        """The question, if the caller is the one to renew its answer now."""
        keys = (f"{self._prefix}claim:{key}", f"{self._prefix}claims", f"{self._prefix}question:{key}")
        text = await self._ask(
            lambda client: client.eval(_CLAIM, len(keys), *keys, key, max(1, round(seconds * 1000)), per_minute_max)
        )
        return cast("bytes | None", text)

    async def close(self) -> None:
        """Close the server's connections, which its other users lose as well."""
        await self._server.close()

    async def _ask(self, command: Any) -> Any:  # noqa: ANN401 - the client's own answers are untyped
        try:
            return await self._server.ask(command)
        except RedisAway:
            return None
