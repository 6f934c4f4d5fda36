"""The histories in memory and on Redis keep the contract; a server that is away knows nothing and disturbs nobody."""

import itertools
import os

import pytest
from tests.contract.question_history import QuestionHistoryContract, asked, claim, soon

from aicompany.resilience.breaker import Breaker
from aicompany_workers.cache.memory_history import MemoryQuestionHistory
from aicompany_workers.cache.redis_history import RedisQuestionHistory
from aicompany_workers.clock import SystemClock
from aicompany_workers.redis_server import RedisServer

_prefixes = (f"test-{os.getpid()}-history-{number}:" for number in itertools.count())


def server_at(url):
    return RedisServer(url, timeout_seconds=2, breaker=Breaker(), clock=SystemClock())


class TestMemoryQuestionHistory(QuestionHistoryContract):
    @pytest.fixture
    def history(self):
        return MemoryQuestionHistory(SystemClock(), questions_max=100)


class TestRedisQuestionHistory(QuestionHistoryContract):
    @pytest.fixture
    async def server(self, redis_url):
        server = server_at(redis_url)
        yield server
        await server.close()

    @pytest.fixture
    def history(self, server):
        return RedisQuestionHistory(server, prefix=next(_prefixes), questions_max=100)

    async def test_what_two_processes_ask_adds_up(self, server):
        prefix = next(_prefixes)
        one, other = (RedisQuestionHistory(server, prefix=prefix, questions_max=100) for _ in range(2))
        await one.note([asked(is_new=True)])
        await other.note([asked(times=4)])
        assert [found.asked for found in await soon(one)] == [5]
        assert [await claim(one) is None, await claim(other) is None] == [False, True]

    async def test_nothing_stays_for_ever(self, server):
        prefix = next(_prefixes)
        history = RedisQuestionHistory(server, prefix=prefix, questions_max=100)
        await history.note([asked(fresh=5, is_new=True)])
        await claim(history)
        keys = await server.ask(lambda client: client.keys(f"{prefix}*"))
        left = {key: await server.ask(lambda client, key=key: client.pttl(key)) for key in keys}
        assert len(left) == 4
        assert all(milliseconds > 0 for milliseconds in left.values()), left


async def test_a_server_that_is_away_knows_nothing():
    server = server_at("redis://127.0.0.1:9/0")
    history = RedisQuestionHistory(server, prefix="x:", questions_max=100)
    await history.note([asked(is_new=True)])
    assert await soon(history) == []
    assert await claim(history) is None
    await history.close()
