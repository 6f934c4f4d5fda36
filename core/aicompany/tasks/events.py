"""Everything that can happen to a task, order and step alike."""

from datetime import datetime
from typing import ClassVar

from pydantic import Field

from aicompany.events import Event
from aicompany.failure import Failure
from aicompany.messaging.lanes import Lane
from aicompany.ports.model import ModelAnswer, ToolResultBlock
from aicompany.tasks.task import Attachment, TaskKind
from aicompany.usage import Usage


class TaskSubmitted(Event):
    """The task exists. First event of every task."""

    event_type: ClassVar[str] = "task_submitted"
    title: str
    prompt: str
    kind: TaskKind
    lane: Lane
    lane_reason: str = Field(description="Why it has this lane.")
    lane_is_wish: bool = Field(default=False, description="Whether the requester asked for the lane.")
    parent_id: str | None = Field(default=None, description="The order, for a step.")
    agent: str | None = Field(default=None, description="The agent, for a step.")
    attachments: tuple[Attachment, ...] = ()
    requester: str | None = None
    conversation_id: str | None = None
    deadline: datetime | None = None


class TaskStarted(Event):
    """A worker began, or began again after its predecessor died."""

    event_type: ClassVar[str] = "task_started"
    worker: str
    attempt: int
    run: int = 1


class ModelAnswered(Event):
    """The model's answer, stored before anything follows from it, so that it is paid once."""

    event_type: ClassVar[str] = "model_answered"
    call: int = Field(ge=1, description="Counted from 1 in the run of the task.")
    run: int = 1
    answer: ModelAnswer
    duration_seconds: float


class ToolsUsed(Event):
    """The tools of one answer were run."""

    event_type: ClassVar[str] = "tools_used"
    call: int = Field(ge=1, description="The call whose answer asked for them.")
    run: int = 1
    results: tuple[ToolResultBlock, ...]
    files_created: tuple[str, ...] = ()
    files_changed: tuple[str, ...] = ()


class RetryScheduled(Event):
    """It failed for now and will be tried again."""

    event_type: ClassVar[str] = "retry_scheduled"
    failure: Failure
    attempt: int = Field(description="The attempt that failed.")
    delay_seconds: float


class TaskPostponed(Event):
    """It could not even be tried (a breaker is open) and waits without losing a try."""

    event_type: ClassVar[str] = "task_postponed"
    reason: str
    delay_seconds: float


class TaskCompleted(Event):
    """It is done."""

    event_type: ClassVar[str] = "task_completed"
    result: str
    files: tuple[str, ...] = Field(default=(), description="Files made, relative to the order's workspace.")
    usage: Usage
    duration_seconds: float
    offline: bool = Field(default=False, description="Whether the offline model made it.")
    cached: bool = Field(default=False, description="Whether an answer in it had been given before.")


class TaskFailed(Event):
    """It could not be done."""

    event_type: ClassVar[str] = "task_failed"
    failure: Failure


class TaskCancelled(Event):
    """It is not wanted any more, or not in time."""

    event_type: ClassVar[str] = "task_cancelled"
    reason: str


class TaskUndone(Event):
    """What the step did was taken back."""

    event_type: ClassVar[str] = "task_undone"
    files_removed: tuple[str, ...] = ()
    files_restored: tuple[str, ...] = ()
    problem: str | None = Field(default=None, description="What could not be taken back, when something could not.")


class TaskReopened(Event):
    """It ended and runs again."""

    event_type: ClassVar[str] = "task_reopened"
    run: int
    reason: str
