"""Keeping dead letters: what the broker gave up on becomes an event in the store, where it can be listed and replayed.

The broker's dead letter queue only holds what nobody could read and what was handed out too often (poison); what a
role gave up on is buried in the same transaction as its other effects and never passes through here.
"""

import asyncio
import hashlib
from dataclasses import dataclass

import structlog

from aicompany.dead_letters.bury import bury
from aicompany.errors import AlreadyHandled, MessageUnreadable, PassingError, VersionConflict
from aicompany.failure import Failure
from aicompany.ids import TraceId
from aicompany.messaging.envelope import Envelope
from aicompany.messaging.topology import DEAD_QUEUE
from aicompany.ports.broker import Broker, Delivery, Subscription
from aicompany.ports.event_store import AggregateRef, AggregateType, Change, EventStore
from aicompany_workers.runtime.effects import Effects, outgoing_of
from aicompany_workers.runtime.envelopes import burial_told
from aicompany_workers.runtime.failing import Failing

_PREFETCH = 50
_PAUSE_SECONDS = 1.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class DeadLetterKeeper:
    """Empties the dead letter queue into the store; runs beside the workers."""

    store: EventStore
    broker: Broker
    failing: Failing

    async def run(self) -> None:
        """Keep until cancelled."""
        waiting: asyncio.Queue[Delivery] = asyncio.Queue()
        subscription = await self._subscribed(waiting)
        try:
            while True:
                await self._keep(await waiting.get())
        finally:
            await asyncio.shield(subscription.cancel())

    async def _subscribed(self, waiting: asyncio.Queue[Delivery]) -> Subscription:
        """However long the broker is away: dead letters can wait, and the process has more to do than this."""
        while True:
            try:
                return await self.broker.subscribe(DEAD_QUEUE, prefetch=_PREFETCH, receive=waiting.put_nowait)
            except PassingError as error:
                log.warning("dead_letters.not_watched", code=error.code, reason=error.message)
                await asyncio.sleep(_PAUSE_SECONDS)

    async def _keep(self, delivery: Delivery) -> None:
        try:
            await self._commit(delivery)
        except PassingError as error:
            log.warning("dead_letter.delayed", code=error.code, reason=error.message)
            await asyncio.sleep(_PAUSE_SECONDS)
            await self.broker.nack(delivery)
            return
        except VersionConflict:
            await self.broker.nack(delivery)
            return
        except AlreadyHandled:
            pass
        await self.broker.ack(delivery)

    async def _commit(self, delivery: Delivery) -> None:
        reason = delivery.reason or "rejected"
        message = f"the broker gave the message up after {delivery.source_queue or delivery.queue}: {reason}"
        failure = Failure(code=reason, message=message, permanent=True)
        log.error("dead_letter.buried", message_id=delivery.message_id, reason=reason)
        effects, metadata = await self._effects(delivery, failure)
        change = Change(
            appends=effects.appends,
            outgoing=effects.outgoing,
            handled_message_id=f"dead:{delivery.message_id}",
            metadata=metadata,
        )
        await self.store.commit(change)

    async def _effects(self, delivery: Delivery, failure: Failure) -> tuple[Effects, dict[str, TraceId]]:
        try:
            envelope = Envelope.from_json(delivery.body)
        except MessageUnreadable:
            letter = AggregateRef(AggregateType.DEAD_LETTER, delivery.message_id)
            append = bury(
                delivery.message_id,
                version=len(await self.store.read(letter)),
                queue=delivery.source_queue or delivery.queue,
                body=delivery.body,
                task_id=None,
                failure=failure,
            )
            # It has no trace that could be read; one that follows from its id is the same each time.
            trace_id = TraceId(hashlib.sha256(delivery.message_id.encode()).hexdigest()[:32])
            told = burial_told(delivery.message_id, failure, task_id=delivery.message_id, trace_id=trace_id)
            return Effects((append,), (outgoing_of(told),)), {"trace_id": trace_id}
        effects = await self.failing.effects_of_giving_up(envelope, failure)
        return effects, {"trace_id": envelope.trace_id}
