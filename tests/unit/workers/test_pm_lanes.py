"""The lane of an order's steps: raised when the order has waited long, unless its lane was asked for."""

from datetime import UTC, datetime, timedelta

import pytest

from aicompany.ids import TaskId
from aicompany.messaging.envelope import Envelope
from aicompany.messaging.lanes import Lane
from aicompany.ports.event_store import Change
from aicompany.spec.company import CompanySpec
from aicompany.tasks.intake import OrderRequest, accept_order
from aicompany_workers.clock import RandomIds, SystemClock
from aicompany_workers.model.offline import OfflineModel
from aicompany_workers.roles.orders import Orders
from aicompany_workers.roles.pm import PMRole
from aicompany_workers.runtime.role import Message
from aicompany_workers.store.sqlite.database import SqliteDatabase
from aicompany_workers.store.sqlite.event_store import SqliteEventStore
from aicompany_workers.store.sqlite.migrations import migrate


class LaterClock(SystemClock):
    """This machine's clock, hours ahead."""

    def __init__(self, hours: float) -> None:
        self._ahead = timedelta(hours=hours)

    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead


@pytest.mark.parametrize(
    ("hours", "wished", "lane"),
    [(0, None, Lane.NORMAL), (1.1, None, Lane.HIGH), (9, None, Lane.HIGH), (9, Lane.LOW, Lane.LOW)],
)
async def test_steps_of_an_order_that_waited_go_up(tmp_path, hours, wished, lane):
    path = tmp_path / "company.db"
    migrate(path)
    database = await SqliteDatabase(path).open()
    store = SqliteEventStore(database, SystemClock())
    spec, ids = CompanySpec(), RandomIds()
    accepted = accept_order(
        OrderRequest(prompt="Say hello", priority=wished), spec.orders,
        now=datetime.now(UTC), new_id=ids.new_id, trace_id=ids.new_trace_id(),
    )  # fmt: skip
    await store.commit(accepted.change)
    plan_order = Envelope.from_json(accepted.change.outgoing[0].body)
    pm = PMRole(Orders(store), OfflineModel(), spec, LaterClock(hours))
    effects = await pm.process_message(Message(plan_order, "pm-1", redelivered=False))
    await store.commit(Change(appends=effects.appends))
    (message,) = effects.outgoing
    assert message.queue == f"task.generalist.{lane.value}"
    step = (await pm.orders.picture(accepted.task_id)).steps[TaskId(f"{accepted.task_id}.1.1")]
    assert step.submitted.lane is lane
    assert step.submitted.lane_reason
    await database.close()
