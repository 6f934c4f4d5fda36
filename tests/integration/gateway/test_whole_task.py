"""A task is shown with the state that its history says, also when it changes while it is read."""

import pytest
from tests.contract.event_store import append, change, completed, submitted

from aicompany.plans.events import ResultDelivered
from aicompany.tasks.events import TaskStarted
from aicompany_desk.gateway.whole_task import is_of_one_moment, whole_task

STARTED = TaskStarted(worker="w", attempt=1)
DELIVERED = ResultDelivered(notifier="log", reference="r", kept_at="k", run=1)


class MovingStore:
    """The real store; before its history is read, the next change of somebody else is committed."""

    def __init__(self, store, changes):
        self._store = store
        self._changes = list(changes)

    async def read_order(self, order_id):
        if self._changes:
            await self._store.commit(self._changes.pop(0))
        return await self._store.read_order(order_id)


@pytest.mark.parametrize("step", [None, "o.1.1"])
async def test_what_changes_while_it_is_read_is_read_again(door, step):
    await door.store.commit(change(append("o", 0, submitted(), STARTED)))
    if step:
        await door.store.commit(change(append(step, 0, submitted(parent_id="o", agent="a"), STARTED)))
    moving = MovingStore(door.store, [change(append(step or "o", 2, completed()))])
    whole = await whole_task("o", door.ports.queries, moving)
    shown = whole.steps[0] if step else whole.row
    assert shown.state == "completed"
    assert whole.records[-1].event_type == "task_completed"


async def test_what_changes_without_an_end_is_shown_all_the_same(door):
    await door.store.commit(change(append("o", 0, submitted())))
    moving = MovingStore(door.store, [change(append("o", version, STARTED)) for version in range(1, 50)])
    assert (await whole_task("o", door.ports.queries, moving)).row.state == "running"


async def test_a_whole_order_is_read_once(door):
    await door.store.commit(change(append("o", 0, submitted(), STARTED, completed(), DELIVERED)))
    await door.store.commit(change(append("o.1.1", 0, submitted(parent_id="o", agent="a"), STARTED, completed())))
    shown = (await door.http.get("/v1/tasks/o")).json()
    assert (shown["state"], shown["kept_at"], shown["steps"][0]["state"]) == ("completed", "k", "completed")
    unmoved = MovingStore(door.store, [])
    whole = await whole_task("o", door.ports.queries, unmoved)
    assert len(whole.records) == 7
    assert is_of_one_moment((whole.row, *whole.steps), whole.records)


async def test_what_is_not_there(door):
    assert await whole_task("o", door.ports.queries, door.store) is None
    assert (await door.http.get("/v1/tasks/o")).status_code == 404
