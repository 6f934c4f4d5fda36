"""The files that the events tell are the files that a directory has in which all of it was done."""

import shutil
from datetime import UTC, datetime

from hypothesis import given, settings
from hypothesis import strategies as st

from aicompany.ids import TaskId
from aicompany.ports.event_store import AggregateRef, AggregateType, EventRecord
from aicompany.ports.model import ModelAnswer as Answer
from aicompany.ports.model import StopReason, ToolUseBlock
from aicompany.tasks.events import ModelAnswered, TaskCompleted, TaskFailed, TaskReopened, TaskUndone
from aicompany.tasks.files import files_of
from aicompany.usage import NO_USAGE
from aicompany_workers.tools.registry import use_tools
from aicompany_workers.tools.workspace import Workspace

ORDER = TaskId("order")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
steps = st.sampled_from(["order.1.1", "order.1.2", "order.2.1"]).map(TaskId)
# Not here: one name as a file of one step and a directory of another; see docs/explanation/weaknesses.md.
names = st.sampled_from(["a.txt", "./a.txt", "d/b.txt", "d//b.txt", "../out", "d/e/c.txt"])
writes = st.builds(
    lambda name, content: ToolUseBlock(id="u", name="write_file", input={"path": name, "content": content}),
    names, st.text("xyz\r\n", max_size=4),
)  # fmt: skip
reads = st.builds(lambda name: ToolUseBlock(id="r", name="read_file", input={"path": name}), names)
actions = st.lists(st.tuples(steps, st.none() | st.lists(writes | reads, min_size=1, max_size=3)), max_size=8)


class History:
    """An order's records, made while a directory follows them."""

    def __init__(self) -> None:
        self.records: list[EventRecord] = []
        self.calls = 0

    def add(self, step, event):
        ref = AggregateRef(AggregateType.TASK, step)
        position = len(self.records) + 1
        self.records.append(EventRecord(position, ref, position, event.event_type, event.model_dump_json(), {}, NOW))

    def use(self, step, uses, workspace):
        self.calls += 1
        answer = Answer(content=tuple(uses), stop_reason=StopReason.TOOL_USE, usage=NO_USAGE, model="m")
        self.add(step, ModelAnswered(call=self.calls, answer=answer, duration_seconds=0))
        self.add(step, use_tools(self.calls, 1, tuple(uses), workspace, step))

    def undo(self, step, workspace):
        removed, restored = workspace.undo(step)
        self.add(step, TaskUndone(files_removed=removed, files_restored=restored))

    def run(self, todo, workspace):
        for step, uses in todo:
            if uses is None:
                self.undo(step, workspace)
            else:
                self.use(step, uses, workspace)


def contents(workspace):
    return {name: workspace.read(name) for name in workspace.list_files()}


@settings(max_examples=80, deadline=None)
@given(todo=actions)
def test_the_fold_is_the_directory_that_ran_everything(tmp_path_factory, todo):
    workspace, history = Workspace(tmp_path_factory.mktemp("w"), ORDER), History()
    history.run(todo, workspace)
    assert dict(files_of(history.records).contents) == contents(workspace)


@settings(max_examples=80, deadline=None)
@given(turns=st.lists(st.tuples(st.integers(0, 2), actions), max_size=5))
def test_directories_that_take_turns_are_one_directory(tmp_path_factory, turns):
    """Each turn on some machine, restored before; undo there takes back what was done elsewhere."""
    machines = [Workspace(tmp_path_factory.mktemp("m"), ORDER) for _ in range(3)]
    single, alone, spread = Workspace(tmp_path_factory.mktemp("s"), ORDER), History(), History()
    for machine, todo in turns:
        alone.run(todo, single)
        for action in todo:
            machines[machine].restore(files_of(spread.records), spare=action[0])
            spread.run([action], machines[machine])
    for machine in machines:
        machine.restore(files_of(spread.records))
    assert [record.data for record in spread.records] == [record.data for record in alone.records]
    assert [contents(machine) for machine in machines] == [contents(single)] * 3


def test_what_a_step_at_work_wrote_and_no_event_tells_is_left_until_the_step_ended(tmp_path):
    workspace, history = Workspace(tmp_path, ORDER), History()
    one, two = TaskId("order.1.1"), TaskId("order.1.2")
    use = ToolUseBlock(id="u", name="write_file", input={"path": "one", "content": "1"})
    history.use(one, [use], workspace)
    workspace.write(two, "two", "2")
    workspace.restore(files_of(history.records))
    assert contents(workspace) == {"one": "1", "two": "2"}
    history.add(two, TaskFailed(failure={"code": "c", "message": "m", "permanent": True}))
    workspace.restore(files_of(history.records))
    assert contents(workspace) == {"one": "1"}


def test_a_run_that_was_undone_on_another_machine_is_forgotten_where_it_ran(tmp_path):
    here, there, history = Workspace(tmp_path / "here", ORDER), Workspace(tmp_path / "there", ORDER), History()
    step, other = TaskId("order.1.1"), TaskId("order.1.2")
    write = ToolUseBlock(id="u", name="write_file", input={"path": "a", "content": "1"})
    history.use(step, [write], here)
    there.recall(files_of(history.records), step)
    history.undo(step, there)
    history.add(step, TaskReopened(run=2, reason="replayed"))
    here.restore(files_of(history.records), spare=step)
    assert contents(here) == {}
    here.write(step, "b", "2")
    here.restore(files_of(history.records), spare=step)
    assert contents(here) == {"b": "2"}, "the run after it is at work"
    history.use(other, [write], there)
    here.restore(files_of(history.records), spare=other)
    here.recall(files_of(history.records), step)
    assert here.undo(step) == (("b",), ())
    assert contents(here) == {"a": "1"}


def test_what_was_lost_or_altered_in_the_directory_comes_back(tmp_path):
    workspace, history = Workspace(tmp_path, ORDER), History()
    step = TaskId("order.1.1")
    history.use(step, [ToolUseBlock(id="u", name="write_file", input={"path": "a", "content": "1"})], workspace)
    history.add(step, TaskCompleted(result="r", usage=NO_USAGE, duration_seconds=0))
    files = files_of(history.records)
    workspace.restore(files)
    (workspace.files_directory / "a").write_text("altered")
    workspace.restore(files)
    assert contents(workspace) == {"a": "1"}
    shutil.rmtree(workspace.files_directory)
    workspace.restore(files)
    assert contents(workspace) == {"a": "1"}


def test_a_directory_that_is_as_it_was_left_is_not_written_again(tmp_path):
    workspace, history = Workspace(tmp_path, ORDER), History()
    step = TaskId("order.1.1")
    history.use(step, [ToolUseBlock(id="u", name="write_file", input={"path": "a", "content": "1"})], workspace)
    files = files_of(history.records)
    workspace.restore(files)
    marker = workspace.files_directory.parent / "restored"
    before = marker.stat().st_ino
    workspace.restore(files)
    assert marker.stat().st_ino == before


def test_an_order_without_files_gets_no_directory(tmp_path):
    Workspace(tmp_path, ORDER).restore(files_of([]))
    assert list(tmp_path.iterdir()) == []
