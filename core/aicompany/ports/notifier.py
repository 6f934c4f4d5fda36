"""The notifier: telling people."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class NoticeKind(StrEnum):
    """What a notice is about."""

    RESULT = "result"
    FAILURE = "failure"
    DEAD_LETTER = "dead_letter"


@dataclass(frozen=True, slots=True)
class Notice:
    """Something a person should know."""

    id: str
    """The same notice sent again has the same id."""
    kind: NoticeKind
    task_id: str
    title: str
    text: str
    reference: str | None = None
    """Where more is to be found: a path or an address."""


class Notifier(Protocol):
    """One way of telling."""

    @property
    def name(self) -> str:
        """As it stands in events."""

    async def notify(self, notice: Notice) -> str:
        """Tell, exactly once per notice id also when called again, and return a reference to what was told.

        Raises `PassingError` when it may work later.
        """
