"""Claims: before a message costs money, its process says that it has it in hand.

A message can be in two hands: it was published twice, or a connection was cut and the broker gave it to another
process while the first still works on it. The effects of only one of them would be stored, but both would ask the
model. So the first question that a message puts to the model claims the message; whoever finds it claimed by a
process that is alive lets go of a copy, and waits with a redelivery until it is handled or its holder is gone.

Before a message is sent out again under another id, retried or postponed, it is claimed as well. Whoever has got the
claim looks whether the message was handled meanwhile: what it read of the store may be older than that, and the claim
of a hand that has finished keeps nobody off.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from aicompany.errors import AlreadyHandled, HeldElsewhere
from aicompany.ports.event_store import EventStore
from aicompany.ports.model import ModelAnswer, ModelRequest
from aicompany.ports.presence import Presence

_LOOK_SECONDS = 0.5

log = structlog.get_logger()


class Watch(Protocol):
    """Tells for how long the store has been reachable without a break."""

    @property
    def seen_seconds(self) -> float:
        """Seconds; 0 while it is away."""


@dataclass(slots=True)
class _Claim:
    """The claim of the message that is being handled in this context."""

    message_id: str
    is_handled: Callable[[str], Awaitable[bool]]
    is_taken: bool = False
    answered: list[tuple[ModelRequest, ModelAnswer]] = field(default_factory=list)
    """What the model told this message, as long as it is in hand."""


_current: ContextVar[_Claim | None] = ContextVar("claim", default=None)


@dataclass(slots=True)
class Claims:
    """The claims of one process, shared by all its workers."""

    presence: Presence
    process: str
    watch: Watch
    silent_seconds_max: float
    _in_hand: set[str] = field(default_factory=set)

    @contextmanager
    def handling(self, message_id: str, is_handled: Callable[[str], Awaitable[bool]]) -> Iterator[None]:
        """While it is open, `take` is for this message; `is_handled` says whether the store has what came of one."""
        claim = _Claim(message_id, is_handled)
        token = _current.set(claim)
        try:
            yield
        finally:
            _current.reset(token)
            if claim.is_taken:
                self._in_hand.discard(message_id)

    async def take(self) -> None:
        """Claim the message that is being handled, once.

        Raises `HeldElsewhere`, `AlreadyHandled` and `StoreUnavailable`.
        """
        claim = _current.get()
        if claim is None or claim.is_taken:
            return
        if claim.message_id in self._in_hand:
            raise HeldElsewhere(f"message {claim.message_id} is in hand in this process already")
        self._in_hand.add(claim.message_id)
        holder = None
        try:
            holder = await self.presence.claim(
                claim.message_id, self.process, silent_seconds_max=self.silent_seconds_max
            )
        finally:
            claim.is_taken = holder == self.process
            if not claim.is_taken:
                self._in_hand.discard(claim.message_id)
        if not claim.is_taken:
            raise HeldElsewhere(f"message {claim.message_id} is in the hands of {holder}")
        # From here on nobody else works on it. Whoever did has either stored what came of it, or will not. Should the
        # store be away just now, the next try begins with the same question.
        if await claim.is_handled(claim.message_id):
            raise AlreadyHandled(f"message {claim.message_id} was handled while this copy of it was looked at")

    @staticmethod
    def answered() -> list[tuple[ModelRequest, ModelAnswer]]:
        """What the model told the message that is being handled, question by question; to be added to."""
        claim = _current.get()
        return claim.answered if claim else []

    async def wait_for_holder(self, message_id: str, store: EventStore) -> bool:
        """Wait while another process that is alive has the message; whether it was handled meanwhile.

        For a message that was delivered again. Raises `StoreUnavailable`.
        """
        waited = False
        while not await store.is_handled(message_id):
            holder = await self.presence.holder(message_id)
            if holder is None or not await self._may_be_at_work(holder, message_id):
                return False
            if not waited:
                waited = True
                log.info("message.in_other_hands", message_id=message_id, holder=holder)
            await asyncio.sleep(_LOOK_SECONDS)
        return True

    async def _may_be_at_work(self, holder: str, message_id: str) -> bool:
        if holder == self.process:
            claim = _current.get()
            is_own = claim is not None and claim.is_taken and claim.message_id == message_id
            return message_id in self._in_hand and not is_own
        if await self.presence.is_present(holder, silent_seconds_max=self.silent_seconds_max):
            return True
        # After an outage of the store nobody's heartbeat is fresh; that says nothing about who is alive.
        return self.watch.seen_seconds < self.silent_seconds_max


class AlwaysSeen:
    """The watch over a store that is part of the process."""

    seen_seconds = float("inf")
