"""The closed sets of a task, and what comes along with one."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field


class TaskKind(StrEnum):
    """What sort of work it is; agents, priorities and complexity look at it."""

    QUESTION = "question"
    WRITING = "writing"
    ANALYSIS = "analysis"
    CODE = "code"
    OPERATIONS = "operations"


class TaskState(StrEnum):
    """Where a task stands."""

    SUBMITTED = "submitted"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNDONE = "undone"

    @property
    def ended(self) -> bool:
        """Whether nothing more happens unless somebody asks for it."""
        return self in _ENDED


_ENDED = frozenset({TaskState.COMPLETED, TaskState.FAILED, TaskState.CANCELLED, TaskState.UNDONE})


class Attachment(BaseModel):
    """A text file handed in with an order."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=255, pattern=r"^[^/\\\x00-\x1f]+$", description="File name, no path.")
    content: str = Field(description="UTF-8 text.")
