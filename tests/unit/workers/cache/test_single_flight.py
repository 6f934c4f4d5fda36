"""Callers of one key at the same time share one call, whatever becomes of it and of them."""

import asyncio

import pytest
from tests.waiting import eventually

from aicompany_workers.cache.single_flight import SingleFlight


class Called:
    """A function that waits until it may go on, and counts its calls."""

    def __init__(self):
        self.calls = 0
        self.may_go_on = asyncio.Event()
        self.outcome = "value"

    async def __call__(self):
        self.calls += 1
        await self.may_go_on.wait()
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


@pytest.fixture
def flights():
    return SingleFlight()


@pytest.fixture
def call():
    return Called()


async def started(count, flights, call, key="key"):
    tasks = [asyncio.create_task(flights.run(key, call)) for _ in range(count)]
    await asyncio.sleep(0)
    return tasks


async def test_many_callers_make_one_call(flights, call):
    tasks = await started(10, flights, call)
    call.may_go_on.set()
    outcomes = await asyncio.gather(*tasks)
    assert call.calls == 1
    assert outcomes == [("value", False), *[("value", True)] * 9]
    assert (flights.shared_total, flights.under_way) == (9, 0)


async def test_nothing_is_a_value_too(flights, call):
    call.outcome = None
    tasks = await started(3, flights, call)
    call.may_go_on.set()
    assert await asyncio.gather(*tasks) == [(None, False), (None, True), (None, True)]
    assert call.calls == 1


async def test_other_keys_make_their_own_call(flights, call):
    tasks = [*await started(1, flights, call, "a"), *await started(1, flights, call, "b")]
    assert flights.under_way == 2
    call.may_go_on.set()
    await asyncio.gather(*tasks)
    assert call.calls == 2


async def test_later_callers_make_a_call_of_their_own(flights, call):
    call.may_go_on.set()
    await flights.run("key", call)
    assert await flights.run("key", call) == ("value", False)
    assert call.calls == 2


async def test_an_error_goes_to_all_who_wait_and_to_nobody_after(flights, call):
    tasks = await started(5, flights, call)
    call.outcome = ValueError("no")
    call.may_go_on.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    assert [str(outcome) for outcome in outcomes] == ["no"] * 5
    assert call.calls == 1
    call.outcome = "value"
    assert await flights.run("key", call) == ("value", False)


async def test_a_cancelled_first_caller_hands_over_to_one_of_the_others(flights, call):
    tasks = await started(5, flights, call)
    tasks[0].cancel()
    await asyncio.gather(tasks[0], return_exceptions=True)
    call.may_go_on.set()
    outcomes = await asyncio.gather(*tasks[1:])
    assert tasks[0].cancelled()
    assert call.calls == 2
    assert sorted(outcomes) == [("value", False), *[("value", True)] * 3]


async def test_one_who_stops_waiting_disturbs_nobody(flights, call):
    tasks = await started(3, flights, call)
    tasks[1].cancel()
    await asyncio.gather(tasks[1], return_exceptions=True)
    call.may_go_on.set()
    assert await tasks[0] == ("value", False)
    assert await tasks[2] == ("value", True)
    assert call.calls == 1


async def test_when_all_are_cancelled_nothing_is_left(flights, call):
    tasks = await started(4, flights, call)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert all(task.cancelled() for task in tasks)
    assert flights.under_way == 0


async def test_an_error_that_is_the_first_callers_own_hands_over(call):
    flights = SingleFlight(own_errors=(KeyError,))
    failing = Called()
    failing.outcome = KeyError("mine")
    (first,) = await started(1, flights, failing)
    others = await started(3, flights, call)
    failing.may_go_on.set()
    with pytest.raises(KeyError, match="mine"):
        await first
    await eventually(lambda: call.calls)
    call.may_go_on.set()
    assert sorted(await asyncio.gather(*others)) == [("value", False), ("value", True), ("value", True)]
    assert call.calls == 1
