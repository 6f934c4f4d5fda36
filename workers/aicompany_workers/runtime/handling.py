"""The handling of one delivery: from the broker's hand to the acknowledgement.

One message, one transaction: its id in the inbox, its events, its messages. The acknowledgement comes after the
commit, so a message is delivered again when anything fails before, and the inbox makes the second time harmless.
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from time import perf_counter

import structlog

from aicompany.errors import (
    AICompanyError,
    AlreadyHandled,
    HeldElsewhere,
    MessageUnreadable,
    PassingError,
    StoreUnavailable,
    VersionConflict,
)
from aicompany.messaging.envelope import Envelope
from aicompany.ports.broker import Broker, Delivery
from aicompany.ports.event_store import Change, EventStore
from aicompany.resilience.retry import GiveUp, Postpone, Retry, RetryPolicy, decide_retry
from aicompany_workers.runtime.claims import Claims
from aicompany_workers.runtime.effects import NO_EFFECTS, Effects
from aicompany_workers.runtime.failing import Failing
from aicompany_workers.runtime.role import Message, Role
from aicompany_workers.telemetry.facts import HandlingObserver, MessageHandled

_CONFLICTS_MAX = 50
"""Times a message is decided anew because somebody else was faster; each time that somebody made progress."""
_STORE_PAUSE_SECONDS = 1.0
"""Between two tries to commit while the store is away. The message stays in hand: giving it back would count as a
delivery, and a store that is away for a while would make poison of innocent messages."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Handling:
    """Handles deliveries for one worker; holds no state of its own."""

    worker: str
    role: Role
    store: EventStore
    broker: Broker
    failing: Failing
    claims: Claims
    retry_policy: RetryPolicy
    observer: HandlingObserver
    draw: Callable[[], float] = random.random
    """Jitter in [0, 1)."""

    async def handle(self, delivery: Delivery) -> None:
        """Carry one delivery to its settlement. Never raises for what the message holds or does."""
        started = perf_counter()
        try:
            envelope = Envelope.from_json(delivery.body)
        except MessageUnreadable as error:
            log.error("message.unreadable", queue=delivery.queue, reason=error.message)
            await self.broker.reject(delivery, reason=error.code)
            return
        with (
            structlog.contextvars.bound_contextvars(
                worker=self.worker, task_id=envelope.task_id, trace_id=envelope.trace_id
            ),
            self.claims.handling(envelope.id, self.store.is_handled),
        ):
            outcome, effects = await self._settle(delivery, envelope)
        duration_seconds = perf_counter() - started
        self.observer.message_handled(
            MessageHandled(self.role.name, envelope, outcome, duration_seconds, effects.measurements)
        )

    async def _settle(self, delivery: Delivery, envelope: Envelope) -> tuple[str, Effects]:
        try:
            settled = await self._process_and_commit(delivery, envelope)
        except BaseException:
            # The worker stops, or breaks: somebody else gets the message, what is stored of it stays.
            await asyncio.shield(self.broker.nack(delivery))
            raise
        await self.broker.ack(delivery)
        return settled

    async def _process_and_commit(self, delivery: Delivery, envelope: Envelope) -> tuple[str, Effects]:
        """Returns the outcome, and what it changed, once it is committed, however long the store is away."""
        message = Message(envelope, self.worker, delivery.redelivered)
        while True:
            try:
                return await self._try(message, is_copy=not delivery.redelivered)
            except PassingError as error:
                log.warning("message.waits_for_store", code=error.code, reason=error.message)
                await asyncio.sleep(_STORE_PAUSE_SECONDS)
            # From here on the message may find traces of its own first try.
            message = replace(message, redelivered=True)

    async def _try(self, message: Message, *, is_copy: bool) -> tuple[str, Effects]:
        """One try, and as many more as somebody else changes the same aggregates meanwhile.

        `is_copy`: when somebody else has the message in hand, this one is a second copy of it and can go; otherwise it
        is the same one, delivered again, and may be needed yet.
        """
        if message.redelivered and await self.claims.wait_for_holder(message.envelope.id, self.store):
            return "already_handled", NO_EFFECTS
        for _ in range(_CONFLICTS_MAX):
            try:
                outcome, effects = await self._process(message)
                if _goes_on(message.envelope, effects):
                    # Another hand that asks the model for it would find its id in the inbox, and its answer be lost.
                    await self.claims.take()
                await self._commit(message.envelope, effects)
            except VersionConflict:
                message = replace(message, redelivered=True)
            except AlreadyHandled:
                return "already_handled", NO_EFFECTS
            except HeldElsewhere:
                if is_copy or await self.claims.wait_for_holder(message.envelope.id, self.store):
                    return "already_handled", NO_EFFECTS
            else:
                return outcome, effects
        raise PassingError(f"message {message.envelope.id} met {_CONFLICTS_MAX} version conflicts in a row")

    async def _process(self, message: Message) -> tuple[str, Effects]:
        try:
            return "done", await self.role.process_message(message)
        except (VersionConflict, AlreadyHandled, HeldElsewhere, StoreUnavailable):
            # The store being away is no failure of the message: a retry would forget what was paid for already.
            raise
        except AICompanyError as error:
            return await self._failed(message.envelope, error)
        except Exception as error:
            log.exception("message.defect")
            return await self._failed(message.envelope, error)

    async def _failed(self, envelope: Envelope, error: Exception) -> tuple[str, Effects]:
        match decide_retry(error, attempt=envelope.attempt, policy=self.retry_policy, jitter=self.draw()):
            case Retry() as retry:
                return "retried", await self.failing.effects_of_retry(envelope, retry)
            case Postpone() as postponed:
                return "postponed", await self.failing.effects_of_postponing(envelope, postponed)
            case GiveUp(failure=failure):
                log.error("message.given_up", code=failure.code, reason=failure.message)
                return "given_up", await self.failing.effects_of_giving_up(envelope, failure)

    async def _commit(self, envelope: Envelope, effects: Effects) -> None:
        await self.store.commit(
            Change(
                appends=effects.appends,
                outgoing=effects.outgoing,
                measurements=effects.measurements,
                handled_message_id=envelope.id,
                metadata={"trace_id": envelope.trace_id, "worker": self.worker},
            )
        )


def _goes_on(envelope: Envelope, effects: Effects) -> bool:
    """Whether the message is sent out again under another id, retried or postponed."""
    return any(outgoing.message_id.startswith(f"{envelope.stem}~") for outgoing in effects.outgoing)
