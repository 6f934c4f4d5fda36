"""Work that goes on until somebody says so."""

import asyncio

import pytest

from aicompany_operator.stopping import until


async def for_ever(seen):
    try:
        await asyncio.Event().wait()
    finally:
        seen.append("ended")


async def test_work_is_cancelled_when_somebody_says_so():
    stopped, seen = asyncio.Event(), []
    running = asyncio.create_task(until(stopped.wait(), for_ever(seen)))
    await asyncio.sleep(0)
    assert not running.done()
    stopped.set()
    async with asyncio.timeout(5):
        await running
    assert seen == ["ended"]


async def test_work_that_ends_by_itself_ends_the_waiting():
    seen = []

    async def work():
        seen.append("worked")

    async with asyncio.timeout(5):
        await until(asyncio.Event().wait(), work())
    assert seen == ["worked"]


async def test_an_error_of_the_work_goes_on():
    async def work():
        raise ValueError("wrong")

    with pytest.raises(ValueError, match="wrong"):
        await until(asyncio.Event().wait(), work())


async def test_cancelled_it_takes_the_work_along():
    seen = []
    running = asyncio.create_task(until(asyncio.Event().wait(), for_ever(seen)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert seen == ["ended"]
