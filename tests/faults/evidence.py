"""What a run leaves behind, as plain values: everything that the judge looks at, and nothing else.

Instants are seconds on the driver's monotonic clock. Clocks of the company's processes are made to jump, so what they
wrote is never compared with them.
"""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

_MARK = re.compile(r"#(\d+)#")
_ANSWER = re.compile(r"answer to (\d+(?:/\w+)?) is enough")


class Sort(StrEnum):
    """What a number of the load is."""

    PLAIN = "plain"
    """An order of one step and one model call."""
    PLANNED = "planned"
    """An order that the model plans: one call for the plan, one for each of its two steps."""
    TURN = "turn"
    """A turn of a conversation: one call, which sees all turns before."""


def mark_of(number: int) -> str:
    """How a number stands in a prompt."""
    return f"#{number}#"


def marks_in(text: str) -> list[int]:
    """The numbers in a text, in order."""
    return [int(found) for found in _MARK.findall(text)]


def answer_of(key: str) -> str:
    """What the model says to a call."""
    return f"The answer to {key} is enough."


def answers_in(text: str) -> list[str]:
    """The keys of the answers in a text, in order."""
    return _ANSWER.findall(text)


@dataclass(frozen=True, slots=True)
class Submission:
    """A number that was handed in, once or, under the same key, until it was accepted."""

    number: int
    sort: Sort
    task_id: str | None = None
    """The order's id; `None` while nobody accepted it, and for turns."""
    conversation: str | None = None
    turn: int | None = None
    """Of an accepted turn, as the gateway counted it."""

    @property
    def accepted(self) -> bool:
        """Whether the gateway said 202."""
        return self.task_id is not None or self.turn is not None


class Outcome(StrEnum):
    """How the model's service ended a call."""

    ANSWERED = "answered"
    REFUSED = "refused"
    """429 or 529, on purpose; nothing is paid."""
    BROKEN = "broken"
    """Never answered, or cut, on purpose."""
    ABANDONED = "abandoned"
    """The caller went away before the answer was out."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request to the model's service."""

    key: str
    """`12` for order 12 or turn 12, `12/plan` and `12/1` for the calls of a planned order."""
    request_id: str
    process: str
    """The process that asked, life by life: `task-1.3` is the third life of `task-1`."""
    begun: float
    ended: float
    outcome: Outcome
    context: tuple[int, ...] = ()
    """The earlier turns of the conversation that the call showed."""

    @property
    def number(self) -> int:
        """The number of the load; 0 when the prompt held none."""
        head = self.key.split("/")[0]
        return int(head) if head.isdigit() else 0


class Cause(StrEnum):
    """Why a process ended."""

    KILLED = "killed"
    """By us, with SIGKILL."""
    STOPPED = "stopped"
    """On our SIGTERM, in time."""
    OVERDUE = "overdue"
    """On our SIGTERM, after its grace period was over: what it had in hand went back."""
    NOT_BEGUN = "could not begin"
    """A server was away at its start; it said so and left, to be started again."""
    BY_ITSELF = "by itself"
    """Nobody asked for it."""


@dataclass(frozen=True, slots=True)
class Death:
    """A process's end."""

    process: str
    at: float
    """From here on nothing it had in hand can be expected of it."""
    gone: float
    """When it was seen to be gone."""
    cause: Cause
    words: str = ""
    """Exit code and the last it said, when it ended by itself."""


@dataclass(frozen=True, slots=True)
class Disturbance:
    """A time in which connections to the model's service broke or fell silent on purpose."""

    begun: float
    ended: float


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """A row of the event store."""

    position: int
    aggregate_id: str
    version: int
    event_type: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Evidence:
    """All of it."""

    submissions: tuple[Submission, ...] = ()
    calls: tuple[Call, ...] = ()
    deaths: tuple[Death, ...] = ()
    disturbances: tuple[Disturbance, ...] = ()
    events: tuple[StoredEvent, ...] = ()
    notices: tuple[str, ...] = ()
    """Task ids, one for each notice that was told."""
    results: dict[str, str] = field(default_factory=dict)
    """Task id to the text that was kept."""
