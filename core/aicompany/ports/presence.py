"""Presence: which worker processes are alive, and what each says of itself.

A message can come a second time while the process that had it is alive and still works on it (its connection was
cut, not its life). Whoever gets it then waits for that process instead of doing the work, and paying for it, again.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """What a process says of itself every few seconds."""

    process: str
    """Unique for each start of a process, never used again."""
    group: str
    """Role and agent of its workers, as `task.qa`; `company` when it runs all of them."""
    in_flight: int
    capacity: int
    cpu_ratio: float
    """CPU time since the last heartbeat, in cores."""
    memory_bytes: int
    error_ratio: float
    """Part of the messages handled since the last heartbeat that failed, 0 to 1."""
    response_seconds: float
    """Mean handling time since the last heartbeat; 0 when nothing was handled."""
    complexity: float
    """Mean complexity of the last ten tasks; 0 when there was none."""


@dataclass(frozen=True, slots=True)
class HeartbeatRecord:
    """A heartbeat as it was stored."""

    heartbeat: Heartbeat
    at: datetime
    """By the clock of the store."""


class Presence(Protocol):
    """The heartbeats of all processes of the company, and which of them has which message in hand."""

    async def beat(self, heartbeat: Heartbeat) -> None:
        """Say that this process is alive. Raises `StoreUnavailable`."""

    async def leave(self, process: str) -> None:
        """Say goodbye: the process works on nothing any more. Idempotent. Raises `StoreUnavailable`."""

    async def is_present(self, process: str, *, silent_seconds_max: float) -> bool:
        """Whether the process gave a heartbeat within so many seconds and has not left. Raises `StoreUnavailable`."""

    async def heartbeats(self, *, silent_seconds_max: float) -> list[HeartbeatRecord]:
        """The last heartbeat of each process that is present, by name. Raises `StoreUnavailable`."""

    async def claim(self, message_id: str, process: str, *, silent_seconds_max: float) -> str:
        """Take a message in hand, unless another process that is present has it; returns the process that has it.

        Raises `StoreUnavailable`.
        """

    async def holder(self, message_id: str) -> str | None:
        """The process that claimed the message last, present or not. Raises `StoreUnavailable`."""
