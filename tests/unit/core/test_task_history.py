"""A task folded from its records is what its events made of it, for every history that the table allows."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aicompany.errors import DefectError
from aicompany.failure import Failure
from aicompany.ids import TaskId
from aicompany.messaging.lanes import Lane
from aicompany.plans.events import ResultDelivered, StepEnded
from aicompany.plans.plan import StepOutcome
from aicompany.ports.event_store import AggregateRef, AggregateType, EventRecord
from aicompany.ports.model import ModelAnswer, ModelMessage, StopReason, TextBlock, ToolResultBlock, ToolUseBlock
from aicompany.tasks.dialogue import EarlierResult, step_messages
from aicompany.tasks.events import (
    ModelAnswered,
    RetryScheduled,
    TaskCancelled,
    TaskCompleted,
    TaskFailed,
    TaskPostponed,
    TaskReopened,
    TaskStarted,
    TaskSubmitted,
    TaskUndone,
    ToolsUsed,
)
from aicompany.tasks.state import TRANSITIONS, Task, fold_task, has_nothing_to_do
from aicompany.tasks.task import Attachment, TaskKind, TaskState
from aicompany.usage import NO_USAGE, Usage

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ID = TaskId("order.1.1")
FAILURE = Failure(code="c", message="m", permanent=False)
SUBMITTED = TaskSubmitted(title="t", prompt="do it", kind=TaskKind.CODE, lane=Lane.LOW, lane_reason="r")
names = st.lists(st.sampled_from(["a", "b", "c"]), max_size=3).map(tuple)


def answered(call=1, tokens=1):
    answer = ModelAnswer(
        content=(TextBlock(text=f"answer {call}"),), stop_reason=StopReason.PAUSE_TURN,
        usage=Usage(calls=1, input_tokens=tokens), model="m",
    )  # fmt: skip
    return ModelAnswered(call=call, answer=answer, duration_seconds=1)


def makers(task):
    """For each event type, how to draw one that fits the task."""
    return {
        TaskStarted: st.just(TaskStarted(worker="w", attempt=task.attempts_failed + 1, run=task.run)),
        ModelAnswered: st.integers(0, 9).map(lambda tokens: answered(len(task.answers) + 1, tokens)),
        ToolsUsed: st.builds(ToolsUsed, call=st.just(1), results=st.just(()), files_created=names, files_changed=names),
        RetryScheduled: st.just(RetryScheduled(failure=FAILURE, attempt=max(1, task.attempt), delay_seconds=1)),
        TaskPostponed: st.just(TaskPostponed(reason="r", delay_seconds=1)),
        TaskCompleted: st.builds(TaskCompleted, result=st.text(), usage=st.just(NO_USAGE), duration_seconds=st.just(1)),
        TaskFailed: st.just(TaskFailed(failure=FAILURE)),
        TaskCancelled: st.just(TaskCancelled(reason="r")),
        TaskUndone: st.just(TaskUndone()),
        TaskReopened: st.just(TaskReopened(run=task.run + 1, reason="r")),
    }


@st.composite
def histories(draw):
    """Events after the first, with the task as it stood after each."""
    tasks, events = [Task(ID, 1, TaskState.SUBMITTED, SUBMITTED, NOW)], []
    for _ in range(draw(st.integers(0, 15))):
        task = tasks[-1]
        allowed = [event for state, event in TRANSITIONS if state is task.state]
        event = draw(makers(task)[draw(st.sampled_from(allowed))])
        version = task.version + 1
        events.append(event)
        tasks.append(task.after(event, version=version, at=NOW + timedelta(seconds=version)))
    return events, tasks


def record(event, version):
    ref = AggregateRef(AggregateType.TASK, ID)
    at = NOW + timedelta(seconds=version if version > 1 else 0)
    return EventRecord(version, ref, version, event.event_type, event.to_json(), {}, at)


def records_of(events):
    return [record(event, version) for version, event in enumerate([SUBMITTED, *events], start=1)]


@given(histories())
def test_folding_what_was_stored_gives_the_task_as_it_stood(history):
    events, tasks = history
    assert fold_task(ID, records_of(events)) == tasks[-1]


@given(histories())
def test_cost_only_grows_and_everything_of_a_run_begins_anew_with_the_next(history):
    events, tasks = history
    for before, event, after in zip(tasks, events, tasks[1:], strict=False):
        assert after.usage.tokens >= before.usage.tokens
        assert (after.ended_at is not None) == after.state.ended
        assert len(set(after.files)) == len(after.files)
        if isinstance(event, TaskReopened):
            assert after.run == before.run + 1
            fresh = Task(ID, after.version, TaskState.SUBMITTED, SUBMITTED, NOW, run=after.run)
            for name in ("attempt", "attempts_failed", "was_postponed", "answers", "tools_used", "files", "result"):
                assert getattr(after, name) == getattr(fresh, name), name


@given(histories())
def test_the_files_are_those_of_all_tools_used_in_this_run_each_once(history):
    task = history[1][-1]
    touched = [name for used in task.tools_used for name in (*used.files_created, *used.files_changed)]
    assert task.files == tuple(dict.fromkeys(touched))


def test_files_of_several_tools_are_listed_in_order():
    first = ToolsUsed(call=1, results=(), files_created=("b",), files_changed=("a",))
    second = ToolsUsed(call=2, results=(), files_created=("c",), files_changed=("b",))
    assert step(first, second).files == ("b", "a", "c")


@given(histories(), st.integers(1, 3), st.integers(1, 3), st.booleans())
def test_an_ended_task_an_older_run_and_a_counted_try_have_nothing_to_do(history, run, attempt, redelivered):
    task = history[1][-1]
    nothing = has_nothing_to_do(task, run=run, attempt=attempt, redelivered=redelivered)
    if task.state.ended or run < task.run or (run == task.run and attempt <= task.attempts_failed):
        assert nothing


@given(histories())
def test_the_next_message_that_is_under_way_always_has_something_to_do(history):
    task = history[1][-1]
    if task.state is TaskState.SUBMITTED:
        attempt = max(task.attempt, task.attempts_failed + 1)
        assert not has_nothing_to_do(task, run=task.run, attempt=attempt, redelivered=False)
    if task.state is TaskState.RUNNING:
        assert not has_nothing_to_do(task, run=task.run, attempt=task.attempt, redelivered=True)


def test_after_a_postponement_no_message_is_taken_for_a_copy():
    started = TaskStarted(worker="w", attempt=1)
    at_work = fold_task(ID, records_of([started]))
    put_off = fold_task(ID, records_of([started, TaskPostponed(reason="r", delay_seconds=1), started]))
    assert has_nothing_to_do(at_work, run=1, attempt=1, redelivered=False)
    assert not has_nothing_to_do(put_off, run=1, attempt=1, redelivered=False)


def test_an_orders_own_events_are_passed_over():
    plan_events = [
        StepEnded(step="order.1.1", outcome=StepOutcome.COMPLETED, usage=NO_USAGE),
        ResultDelivered(notifier="log", reference="r", kept_at="k"),
    ]
    task = fold_task(ID, records_of(plan_events))
    assert task is not None
    assert task.state is TaskState.SUBMITTED


def test_nothing_is_no_task():
    assert fold_task(ID, []) is None


def test_a_history_without_its_beginning_is_a_defect():
    with pytest.raises(DefectError, match="begins with task_undone"):
        fold_task(ID, [record(TaskUndone(), 1)])


# What the model is told


def step(*events):
    task = fold_task(ID, records_of([TaskStarted(worker="w", attempt=1), *events]))
    assert task is not None
    return task


def texts(message):
    return [block.text for block in message.content]


def test_a_step_that_is_the_whole_order_is_asked_in_its_own_words():
    (opening,) = step_messages(step(), order_prompt="do it", attachments=(), earlier=())
    assert (opening.role, texts(opening)) == ("user", ["do it"])


def test_the_instruction_comes_last_after_order_files_and_earlier_results():
    (opening,) = step_messages(
        step(),
        order_prompt="all of it",
        attachments=(Attachment(name="f.md", content="words"),),
        earlier=(EarlierResult("first", "found"),),
    )
    order, file, earlier, instruction = texts(opening)
    assert "all of it" in order
    assert 'name="f.md"' in file
    assert "words" in file
    assert "found" in earlier
    assert instruction == "<instruction>\ndo it\n</instruction>"


def test_what_was_answered_and_used_in_this_run_is_told_again_in_order():
    use = ToolUseBlock(id="u", name="read_file", input={})
    asked = ModelAnswer(content=(use,), stop_reason=StopReason.TOOL_USE, usage=NO_USAGE, model="m")
    said = ToolResultBlock(tool_use_id="u", content="said")
    messages = step_messages(
        step(ModelAnswered(call=1, answer=asked, duration_seconds=1), ToolsUsed(call=1, results=(said,)), answered(2)),
        order_prompt="do it",
        attachments=(),
        earlier=(),
    )
    assert messages[1:] == (
        ModelMessage(role="assistant", content=(use,)),
        ModelMessage(role="user", content=(said,)),
        ModelMessage(role="assistant", content=(TextBlock(text="answer 2"),)),
    )


def test_a_run_that_began_anew_is_told_nothing_of_the_one_before():
    again = step(answered(1), TaskFailed(failure=FAILURE), TaskReopened(run=2, reason="r"))
    assert len(step_messages(again, order_prompt="do it", attachments=(), earlier=())) == 1
