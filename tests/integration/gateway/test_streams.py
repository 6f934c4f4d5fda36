"""Progress as server-sent events: nothing twice, nothing missing, and an end."""

import asyncio
import time

import pytest
from tests.contract.event_store import FAILURE, append, change, completed, submitted

from aicompany.conversations.events import TurnFailed
from aicompany.plans.events import ResultDelivered
from aicompany.ports.event_store import AggregateType
from aicompany.tasks.events import TaskCancelled, TaskFailed, TaskReopened, TaskStarted

STARTED = TaskStarted(worker="w", attempt=1)


def delivered(run=1):
    return ResultDelivered(notifier="log", reference="r", kept_at="k", run=run)


async def streamed(door, path, after=0):
    """Id and type of what a client is told that saw everything up to a position; also the status."""
    async with door.http.stream("GET", path, headers={"last-event-id": str(after)}) as response:
        lines = [line async for line in response.aiter_lines()]
    ids = [int(line.removeprefix("id: ")) for line in lines if line.startswith("id: ")]
    types = [line.removeprefix("event: ") for line in lines if line.startswith("event: ")]
    return response.status_code, list(zip(ids, types, strict=True))


async def test_a_stream_follows_an_order_to_its_delivery(door):
    await door.store.commit(change(append("o", 0, submitted(), STARTED)))
    following = asyncio.create_task(streamed(door, "/v1/tasks/o/events"))
    await door.store.commit(change(append("o.1.1", 0, submitted(parent_id="o", agent="a"), STARTED)))
    await door.store.commit(change(append("o", 2, completed())))
    await door.store.commit(change(append("o", 3, delivered())))
    status, events = await following
    assert status == 200
    assert [kind for _, kind in events] == [
        "task_submitted", "task_started", "task_submitted", "task_started", "task_completed", "result_delivered",
    ]  # fmt: skip


@pytest.mark.parametrize("seen", range(4))
async def test_a_client_that_comes_back_gets_the_rest_and_no_more(door, seen):
    await door.store.commit(change(append("o", 0, submitted(), STARTED, completed(), delivered())))
    _, everything = await streamed(door, "/v1/tasks/o/events")
    status, rest = await streamed(door, "/v1/tasks/o/events", after=everything[seen][0])
    assert rest == everything[seen + 1 :]
    assert status == (200 if rest else 204), "204 tells a browser to come back no more"


async def test_the_stream_of_a_step_ends_with_the_step(door):
    await door.store.commit(change(append("o", 0, submitted(), STARTED)))
    await door.store.commit(change(append("o.1.1", 0, submitted(parent_id="o", agent="a"), STARTED)))
    following = asyncio.create_task(streamed(door, "/v1/tasks/o.1.1/events"))
    await door.store.commit(change(append("o.1.1", 2, completed())))
    assert [kind for _, kind in (await following)[1]] == ["task_submitted", "task_started", "task_completed"]


async def test_an_order_that_runs_again_is_followed_to_its_new_end(door):
    await door.store.commit(change(append("o", 0, submitted(), STARTED, TaskFailed(failure=FAILURE), delivered())))
    await door.store.commit(change(append("o", 4, TaskReopened(run=2, reason="replayed"))))
    following = asyncio.create_task(streamed(door, "/v1/tasks/o/events"))
    await door.store.commit(change(append("o", 5, TaskStarted(worker="w", attempt=1, run=2), completed())))
    await door.store.commit(change(append("o", 7, delivered(run=2))))
    types = [kind for _, kind in (await following)[1]]
    assert types.count("result_delivered") == 2
    assert types[-1] == "result_delivered"


async def test_a_cancelled_order_is_over_when_that_was_told(door):
    await door.store.commit(change(append("o", 0, submitted(), TaskCancelled(reason="r"))))
    following = asyncio.create_task(streamed(door, "/v1/tasks/o/events"))
    await door.store.commit(change(append("o", 2, delivered())))
    assert (await following)[1][-1][1] == "result_delivered"


async def test_open_streams_end_when_the_company_closes(door):
    await door.store.commit(change(append("o", 0, submitted(), STARTED)))
    began = asyncio.Event()

    async def follow():
        async with door.http.stream("GET", "/v1/tasks/o/events") as response:
            async for _ in response.aiter_lines():
                began.set()

    async with asyncio.timeout(5), asyncio.TaskGroup() as streams:
        for _ in range(5):
            streams.create_task(follow())
        await began.wait()
        closed = time.monotonic()
        door.ports.closing.set()
    assert time.monotonic() - closed < 2, "the server itself would cut them after five seconds"


async def test_a_conversation_is_followed_until_the_turn_that_is_wanted(door):
    conversation = (await door.http.post("/v1/conversations", json={})).json()["id"]
    path = f"/v1/conversations/{conversation}"
    said = (await door.http.post(f"{path}/turns", json={"text": "hello"})).json()
    following = asyncio.create_task(streamed(door, f"{path}/events?until_turn=1"))
    failed = append(conversation, None, TurnFailed(turn=1, failure=FAILURE), kind=AggregateType.CONVERSATION)
    (record,) = await door.store.commit(change(failed))
    assert [kind for _, kind in (await following)[1]] == ["conversation_started", "turn_taken", "turn_failed"]
    assert await streamed(door, f"{path}/events?until_turn=1", after=record.position) == (204, [])
    assert said["turn"] == 1
