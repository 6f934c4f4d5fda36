"""An order whose steps run on different machines: each has a directory of its own, the events hold the files."""

from datetime import UTC, datetime

from aicompany.ids import TaskId
from aicompany.messaging.envelope import Envelope
from aicompany.ports.event_store import Change
from aicompany.ports.model import ModelAnswer, StopReason, TextBlock, ToolResultBlock, ToolUseBlock
from aicompany.spec.company import CompanySpec
from aicompany.tasks.intake import OrderRequest, accept_order
from aicompany.usage import NO_USAGE
from aicompany_workers.clock import RandomIds, SystemClock
from aicompany_workers.model.offline import OfflineModel
from aicompany_workers.notify.log import LogNotifier
from aicompany_workers.roles.orders import Orders
from aicompany_workers.roles.pm import PMRole
from aicompany_workers.roles.result import ResultRole
from aicompany_workers.roles.task import TaskRole
from aicompany_workers.runtime.overload import Overload
from aicompany_workers.runtime.role import Message
from aicompany_workers.store.sqlite.database import SqliteDatabase
from aicompany_workers.store.sqlite.event_store import SqliteEventStore
from aicompany_workers.store.sqlite.migrations import migrate
from aicompany_workers.tools.workspace import Workspaces


class Scribe:
    """A model that asks for one tool and then says what the tool said."""

    is_offline = True

    def __init__(self, tool, **arguments):
        self.use = ToolUseBlock(id="u", name=tool, input=arguments)

    async def answer(self, request):
        said = [block for block in request.messages[-1].content if isinstance(block, ToolResultBlock)]
        content = (TextBlock(text=said[0].content),) if said else (self.use,)
        reason = StopReason.END_TURN if said else StopReason.TOOL_USE
        return ModelAnswer(content=content, stop_reason=reason, usage=NO_USAGE, model="scribe")

    async def close(self):
        pass


async def test_files_follow_their_order_from_machine_to_machine(tmp_path):
    migrate(tmp_path / "company.db")
    database = await SqliteDatabase(tmp_path / "company.db").open()
    store, spec, ids, orders = SqliteEventStore(database, SystemClock()), CompanySpec(), RandomIds(), None
    orders = Orders(store)

    async def work(role, envelope):
        effects = await role.process_message(Message(envelope, "w", redelivered=False))
        await store.commit(Change(appends=effects.appends))
        return [Envelope.from_json(message.body) for message in effects.outgoing]

    def task_role(machine, model):
        return TaskRole(orders, model, spec, Workspaces(tmp_path / machine), SystemClock(), Overload(spec.overload))

    request = OrderRequest(prompt='["Write one", "Read it", "Write two"]')
    accepted = accept_order(
        request, spec.orders, now=datetime.now(UTC), new_id=ids.new_id, trace_id=ids.new_trace_id()
    )  # fmt: skip
    await store.commit(accepted.change)
    pm = PMRole(orders, OfflineModel(), spec, SystemClock())
    todo = await work(pm, Envelope.from_json(accepted.change.outgoing[0].body))
    machines = {
        "1": task_role("A", Scribe("write_file", path="one", content="1\r\n")),
        "2": task_role("B", Scribe("read_file", path="one")),
        "3": task_role("A", Scribe("write_file", path="d/two", content="2")),
    }
    last = None
    while todo:
        envelope = todo.pop(0)
        if envelope.purpose.value == "deliver_result":
            last = envelope
        elif envelope.agent is not None:
            place = envelope.task_id.split(".")
            todo += await work(machines[str(max(int(part) for part in place[1:]))], envelope)
        else:
            todo += await work(pm, envelope)
    picture = await orders.picture(accepted.task_id)
    assert {task.result for task in picture.steps.values()} >= {"1\r\n"}
    results = tmp_path / "results"
    await work(ResultRole(orders, LogNotifier(tmp_path / "n"), Workspaces(tmp_path / "C"), results), last)
    kept = results / f"{accepted.task_id}.files"
    assert {path.relative_to(kept).as_posix(): path.read_bytes() for path in kept.rglob("*") if path.is_file()} == {
        "one": b"1\r\n",
        "d/two": b"2",
    }
    files = Workspaces(tmp_path / "B").of(TaskId(accepted.task_id))
    first = min(picture.steps)
    files.recall(await orders.files(first), first)
    assert files.undo(first) == (("one",), ())
    await database.close()
