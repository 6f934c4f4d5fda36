"""What a role brings; everything else is the runtime's."""

from dataclasses import dataclass
from typing import Protocol

from aicompany.messaging.envelope import Envelope
from aicompany_workers.runtime.effects import Effects


@dataclass(frozen=True, slots=True)
class Message:
    """An envelope in a worker's hands."""

    envelope: Envelope
    worker: str
    """Name of the worker that has it."""
    redelivered: bool
    """Whether it was in somebody's hands before, who may have begun with it."""


class Role(Protocol):
    """One of `pm`, `task`, `result`, `dialog`."""

    @property
    def name(self) -> str:
        """As in queue names."""

    async def process_message(self, message: Message) -> Effects:
        """Do what the message asks and return what it changes; the runtime commits that and acknowledges.

        May be called again for the same message: after a crash, after a retry, and at once when somebody else
        changed the same aggregate meanwhile (`VersionConflict`). So it starts from what is stored, always.
        Raises the error tree of `aicompany.errors`; the retry policy decides what follows.
        """
