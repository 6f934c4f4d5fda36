"""Limits on Redis keep the contract, are one for all processes, and without the server each keeps to its share."""

import asyncio
import itertools
import json
import os

import pytest
import redis as driver
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.contract.rate_limits import MODEL, RateLimitsContract, ask, state_of
from tests.servers.redis import redis_server
from tests.waiting import eventually

from aicompany.allowance import Amounts, LimitsTold, Measure, NoTurn, Turn, WindowTold
from aicompany.resilience.breaker import Breaker
from aicompany.resilience.rate_limits import RateLimits
from aicompany.spec.servers import LimitsSpec
from aicompany_workers.clock import SystemClock
from aicompany_workers.limits.redis import RedisRateLimits
from aicompany_workers.limits.script import LUA, limits_of, question, settlement, turn_of
from aicompany_workers.redis_server import RedisServer

_prefixes = (f"test-{os.getpid()}-{number}:" for number in itertools.count())


def server_at(url, **breaker):
    return RedisServer(url, timeout_seconds=2, breaker=Breaker(**breaker), clock=SystemClock())


@pytest.fixture
async def server(redis_url):
    server = server_at(redis_url)
    yield server
    await server.close()


@pytest.fixture
def make(server):
    async def make(spec, *, prefix=None, caller="one", callers=1):
        prefix = prefix or next(_prefixes)
        return RedisRateLimits(server, spec, SystemClock(), prefix=prefix, caller=caller, callers=callers)

    return make


class TestRedisRateLimits(RateLimitsContract):
    async def test_what_one_process_takes_is_gone_for_the_other(self, make):
        prefix = next(_prefixes)
        one, other = [
            await make(LimitsSpec(requests_per_minute=100), prefix=prefix, caller=name) for name in ("a", "b")
        ]
        await asyncio.gather(*(ask(limits, wait=0) for limits in (one, other) for _ in range(40)))
        await one.paused_seconds(MODEL)  # looks once more
        assert state_of(one, "requests").level < 22
        turns = await asyncio.gather(*(ask(limits, wait=0) for limits in (one, other) for _ in range(40)))
        assert 18 <= sum(isinstance(turn, Turn) for turn in turns) <= 22
        assert one.statistics().shared

    async def test_what_one_process_learns_the_other_keeps_to(self, make):
        prefix = next(_prefixes)
        one, other = [await make(LimitsSpec(), prefix=prefix, caller=name) for name in ("a", "b")]
        told = LimitsTold(MODEL, requests=WindowTold(60, 0, 60.0))
        await one.settle(await ask(one), Amounts(1, 1, 1), told=told, slow_down=True, retry_after_seconds=50)
        assert (await ask(other)).wait_seconds > 45
        assert state_of(other, "requests").limit == pytest.approx(60)


# The server's script and the core hold one rule: any history gives the same turns and the same limits in both.

specs = st.just(LimitsSpec()) | st.builds(
    LimitsSpec,
    requests_per_minute=st.none() | st.integers(1, 100),
    input_tokens_per_minute=st.none() | st.integers(100, 10_000),
    output_tokens_per_minute=st.none() | st.integers(100, 10_000),
)
windows = st.none() | st.builds(
    WindowTold,
    limit=st.floats(1, 10_000),
    remaining=st.floats(0, 10_000),
    full_in_seconds=st.none() | st.floats(0, 90),
)
tolds = st.none() | st.builds(
    LimitsTold, model=st.just(MODEL), requests=windows, input_tokens=windows, output_tokens=windows,
    age_seconds=st.floats(0, 10),
)  # fmt: skip
amounts = st.builds(
    Amounts, requests=st.sampled_from([0.0, 1.0]), input_tokens=st.floats(0, 3000), output_tokens=st.floats(0, 3000)
)
reservations = st.tuples(st.just("reserve"), st.floats(1, 3000), st.floats(1, 3000), st.floats(0, 100))
settlements = st.tuples(st.just("settle"), amounts, tolds, st.booleans(), st.none() | st.floats(0, 100))
histories = st.lists(st.tuples(st.floats(0, 20), reservations | settlements), max_size=15)


def in_core(limits, act, turn, now):
    match act:
        case ("reserve", tokens, most, wait):
            return limits.reserve(
                MODEL, input_tokens=tokens, output_tokens_max=most, wait_seconds_max=wait, now_seconds=now
            )
        case (_, used, told, slow_down, wish):
            limits = limits.settle(turn, used, now)
            limits = limits.heed(told, now) if told else limits
            return None, limits.pause(wish, now) if slow_down else limits


def asked_of_script(act, turn):
    match act:
        case ("reserve", tokens, most, wait):
            wish = {"input_tokens": tokens, "output_tokens_max": most, "wait_seconds_max": wait}
            return {"act": "reserve", **wish}
        case (_, used, told, slow_down, wish):
            return settlement(turn, used, told, slow_down=slow_down, retry_after_seconds=wish)


def same_turn(one, other):
    if isinstance(one, NoTurn):
        return isinstance(other, NoTurn) and one.retry_after_seconds == pytest.approx(other.retry_after_seconds)
    return (one.counted, one.wait_seconds, one.reserved.output_tokens) == (
        other.counted, pytest.approx(other.wait_seconds, abs=1e-6), pytest.approx(other.reserved.output_tokens)
    )  # fmt: skip


def same_limits(one: RateLimits, other: RateLimits, now):
    assert set(one.buckets) == set(other.buckets)
    for measure, bucket in one.buckets.items():
        seen = other.buckets[measure]
        assert seen.rate == pytest.approx(bucket.rate)
        assert seen.level == pytest.approx(bucket.at(now).level, abs=1e-6, rel=1e-9)
    assert (one.start is None) == (other.start is None)
    assert max(0.0, one.paused_until - now) == pytest.approx(max(0.0, other.paused_until - now), abs=1e-6)
    assert one.output_mean == pytest.approx(other.output_mean)


@settings(max_examples=200, deadline=None)
@given(spec=specs, history=histories, counted=st.frozensets(st.sampled_from(Measure)))
def test_the_servers_script_decides_as_the_core_does(redis, spec, history, counted):
    prefix, now = next(_prefixes), 1_700_000_000.0
    ours = first = RateLimits.of(spec, now)
    turn = Turn(MODEL, Amounts(1, 10, 10), counted, 0.0)
    with driver.Redis.from_url(redis.url) as client:
        script = client.register_script(LUA)
        for seconds, act in history:
            now += seconds
            asked = question(first, now, now=now, **asked_of_script(act, turn))
            answer = json.loads(script(keys=[f"{prefix}limits", f"{prefix}callers"], args=[asked]))
            granted, ours = in_core(ours, act, turn, now)
            if granted is not None:
                theirs = turn_of(answer, MODEL)
                assert same_turn(granted, theirs)
                turn = granted if isinstance(granted, Turn) else turn
            same_limits(ours, limits_of(answer, ours, now), now)


def test_a_servers_clock_that_is_set_back_holds_nobody_up(redis):
    prefix, noon = next(_prefixes), 1_700_000_000.0
    first = RateLimits.of(LimitsSpec(requests_per_minute=60), noon)
    with driver.Redis.from_url(redis.url) as client:

        def ask_at(now, **act):
            act = act or {"act": "reserve", "input_tokens": 1, "output_tokens_max": 1, "wait_seconds_max": 1000}
            asked = question(first, now, now=now, **act)
            return json.loads(client.eval(LUA, 2, f"{prefix}limits", f"{prefix}callers", asked))

        waits = [ask_at(noon)["wait"] for _ in range(70)]
        assert waits[-1] == pytest.approx(11.2)
        turn = Turn(MODEL, Amounts(1, 1, 1), frozenset(Measure), 0.0)
        ask_at(noon, **settlement(turn, Amounts(1, 1, 1), None, slow_down=True, retry_after_seconds=20))
        ask_at(noon - 3600)
        assert ask_at(noon - 3600 + 5)["paused_seconds"] == pytest.approx(15)
        assert ask_at(noon - 3600 + 30)["wait"] == 0


async def test_without_the_server_each_process_keeps_to_its_share(tmp_path):
    process = redis_server(tmp_path)
    process.start()
    try:
        server = server_at(process.url, failures_max=1, open_seconds=0.05)
        spec = LimitsSpec(requests_per_minute=500)
        callers = [
            RedisRateLimits(server, spec, SystemClock(), prefix="x:", caller=name) for name in ("a", "b", "c", "d", "e")
        ]
        for limits in (*callers, *callers):
            assert isinstance(await ask(limits), Turn)
        process.kill()
        for limits in callers:
            turns = [await ask(limits, wait=0) for _ in range(150)]
            assert 90 <= sum(isinstance(turn, Turn) for turn in turns) <= 105
            seen = limits.statistics()
            assert (seen.shared, seen.share_of, seen.errors > 0) == (False, 5, True)
            assert seen.limits[MODEL]["requests"].limit == pytest.approx(100)

        process.start()
        limits = callers[0]

        async def shared_again():
            await ask(limits, wait=0)
            return limits.statistics().shared

        await eventually(shared_again)
        # The server lost everything: it begins with what was known here, and not with a full minute.
        assert state_of(limits, "requests").limit == pytest.approx(500)
        assert state_of(limits, "requests").level < 60
        await server.close()
    finally:
        process.end()


async def test_a_pause_goes_on_without_the_server(tmp_path):
    process = redis_server(tmp_path)
    process.start()
    try:
        server = server_at(process.url)
        limits = RedisRateLimits(server, LimitsSpec(), SystemClock(), prefix="x:", caller="a")
        await limits.settle(await ask(limits), Amounts(), slow_down=True, retry_after_seconds=900)
        process.kill()
        assert 800 < await limits.paused_seconds(MODEL) <= 900
        assert isinstance(await ask(limits, wait=300), NoTurn)
        await server.close()
    finally:
        process.end()


async def test_a_server_that_was_never_there_leaves_the_share_that_was_foretold():
    server = server_at("redis://127.0.0.1:9/0")
    spec = LimitsSpec(requests_per_minute=500)
    limits = RedisRateLimits(server, spec, SystemClock(), prefix="x:", caller="a", callers=4)
    assert isinstance(await ask(limits), Turn)
    seen = limits.statistics()
    assert (seen.shared, seen.share_of) == (False, 4)
    assert seen.limits[MODEL]["requests"].limit == pytest.approx(125)
    await server.close()
