"""A task as it stands: folded over all its events by one table."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from aicompany.errors import DefectError
from aicompany.events import Event
from aicompany.failure import Failure
from aicompany.ids import TaskId
from aicompany.ports.event_store import EventRecord
from aicompany.tasks.codec import TASK_EVENTS, decode_all
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
from aicompany.tasks.task import TaskState
from aicompany.usage import NO_USAGE, Usage

_S = TaskState

TRANSITIONS: dict[tuple[TaskState, type[Event]], TaskState] = {
    (_S.SUBMITTED, TaskStarted): _S.RUNNING,
    (_S.SUBMITTED, TaskFailed): _S.FAILED,
    (_S.SUBMITTED, TaskCancelled): _S.CANCELLED,
    (_S.SUBMITTED, TaskCompleted): _S.COMPLETED,
    (_S.SUBMITTED, RetryScheduled): _S.SUBMITTED,
    (_S.RUNNING, TaskStarted): _S.RUNNING,  # again, after the worker before died
    (_S.RUNNING, ModelAnswered): _S.RUNNING,
    (_S.RUNNING, ToolsUsed): _S.RUNNING,
    (_S.RUNNING, RetryScheduled): _S.SUBMITTED,
    (_S.RUNNING, TaskPostponed): _S.SUBMITTED,
    (_S.RUNNING, TaskCompleted): _S.COMPLETED,
    (_S.RUNNING, TaskFailed): _S.FAILED,
    (_S.RUNNING, TaskCancelled): _S.CANCELLED,
    (_S.COMPLETED, TaskUndone): _S.UNDONE,
    (_S.FAILED, TaskUndone): _S.UNDONE,
    (_S.CANCELLED, TaskUndone): _S.UNDONE,
    (_S.UNDONE, TaskUndone): _S.UNDONE,
    (_S.FAILED, TaskReopened): _S.SUBMITTED,
    (_S.CANCELLED, TaskReopened): _S.SUBMITTED,
    (_S.UNDONE, TaskReopened): _S.SUBMITTED,
}
"""State × event → state. What is not here must not happen. `TaskSubmitted` is the first event and only that.

An order starts when its plan is made.
"""


@dataclass(frozen=True, slots=True)
class Task:
    """A task folded over its events."""

    id: TaskId
    version: int
    state: TaskState
    submitted: TaskSubmitted
    submitted_at: datetime
    run: int = 1
    attempt: int = 0
    """The attempt last begun in this run; 0 before the first."""
    attempts_failed: int = 0
    """The attempt of this run that failed last and is tried again; 0 when none did."""
    was_postponed: bool = False
    """Whether, in this run, a message was put off without a try."""
    answers: tuple[ModelAnswered, ...] = ()
    """Of this run."""
    tools_used: tuple[ToolsUsed, ...] = ()
    """Of this run."""
    usage: Usage = NO_USAGE
    """Of all model calls, of all runs."""
    result: str | None = None
    offline: bool = False
    cached: bool = False
    """Whether an answer in its result had been given before."""
    failure: Failure | None = None
    files: tuple[str, ...] = ()
    """Created or changed in this run, in order, each once."""
    reopened_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None

    def after(self, event: Event, *, version: int, at: datetime) -> "Task":
        """The task after one more event. Raises `DefectError` when the table forbids it."""
        state = TRANSITIONS.get((self.state, type(event)))
        if state is None:
            raise DefectError(f"task {self.id} is {self.state.value}: {event.event_type} cannot happen to it")
        return replace(self, state=state, version=version, **self._changes_of(event, at))

    def _changes_of(self, event: Event, at: datetime) -> dict[str, Any]:
        """The fields, besides state and version, that the event changes."""
        match event:
            case TaskStarted(attempt=attempt, run=run):
                return {"run": run, "attempt": attempt, "started_at": self.started_at or at}
            case ModelAnswered():
                return {"answers": (*self.answers, event), "usage": self.usage + event.answer.usage}
            case ToolsUsed():
                files = dict.fromkeys((*self.files, *event.files_created, *event.files_changed))
                return {"tools_used": (*self.tools_used, event), "files": tuple(files)}
            case RetryScheduled(attempt=attempt):
                return {"attempts_failed": attempt}
            case TaskPostponed():
                return {"was_postponed": True}
            case TaskCompleted(result=result, offline=offline, cached=cached):
                return {"result": result, "offline": offline, "cached": cached, "ended_at": at}
            case TaskFailed(failure=failure):
                return {"failure": failure, "ended_at": at}
            case TaskCancelled():
                return {"ended_at": at}
            case TaskReopened(run=run):
                of_a_run = {"answers": (), "tools_used": (), "files": (), "result": None, "failure": None}
                tries = {"attempt": 0, "attempts_failed": 0, "was_postponed": False}
                times = {"reopened_at": at, "started_at": None, "ended_at": None}
                return {"run": run, **tries, **times, **of_a_run}
            case _:
                return {}


def fold_task(task_id: TaskId, records: Iterable[EventRecord]) -> Task | None:
    """The task after its records, in order; `None` when there are none. Raises `DefectError` for a broken history."""
    task: Task | None = None
    for record, event in decode_all(records, TASK_EVENTS):
        if task is None:
            if not isinstance(event, TaskSubmitted):
                raise DefectError(f"the history of task {task_id} begins with {event.event_type}")
            task = Task(task_id, record.version, TaskState.SUBMITTED, event, record.timestamp)
        else:
            task = task.after(event, version=record.version, at=record.timestamp)
    return task


def has_nothing_to_do(task: Task, *, run: int, attempt: int, redelivered: bool) -> bool:
    """Whether a message that asks to run the task is out of date or a copy.

    A message that was never in other hands, of a run and attempt that is at work, is a copy (published twice because
    the process died between publishing and noting it): the original is still unacknowledged in somebody's hands and
    comes again when that somebody dies. Once a message of the run was postponed, several messages have the same
    attempt, and which of them is at work cannot be told: then none is taken for a copy, so that none is lost.
    """
    if task.state.ended or run < task.run:
        return True
    if run == task.run and (attempt < task.attempt or attempt <= task.attempts_failed):
        return True
    same_try = run == task.run and attempt == task.attempt and not task.was_postponed
    return same_try and task.state is TaskState.RUNNING and not redelivered
