"""What follows when a message could not be carried out: for now, or for good."""

from dataclasses import dataclass

from aicompany.conversations.events import TurnFailed
from aicompany.conversations.state import fold_conversation
from aicompany.dead_letters.bury import bury
from aicompany.failure import Failure
from aicompany.ids import TaskId
from aicompany.messaging.envelope import Envelope, Purpose
from aicompany.messaging.topology import queue_of
from aicompany.plans.state import fold_order
from aicompany.ports.event_store import AggregateRef, AggregateType, Append, EventStore
from aicompany.resilience.retry import Postpone, Retry
from aicompany.tasks.events import RetryScheduled, TaskFailed, TaskPostponed, TaskUndone
from aicompany.tasks.state import Task, fold_task
from aicompany.tasks.task import TaskState
from aicompany_workers.runtime.effects import NO_EFFECTS, Effects, append_to, outgoing_of
from aicompany_workers.runtime.envelopes import burial_told, delivery_of, receipt_of

_BEGINS = frozenset({Purpose.RUN_STEP, Purpose.PLAN_ORDER})


@dataclass(frozen=True, slots=True)
class Failing:
    """Knows what each purpose leaves behind when it fails."""

    store: EventStore

    async def effects_of_retry(self, envelope: Envelope, retry: Retry) -> Effects:
        """The message goes out again later; a task notes that it will be tried again."""
        outgoing = (outgoing_of(envelope.next_attempt(), delay_seconds=retry.delay_seconds),)
        task = await self._task_of(envelope)
        if task is None or task.state.ended:
            return Effects(outgoing=outgoing)
        event = RetryScheduled(failure=retry.failure, attempt=retry.attempt, delay_seconds=retry.delay_seconds)
        return Effects((append_to(AggregateType.TASK, task.id, task.version, [event]),), outgoing)

    async def effects_of_postponing(self, envelope: Envelope, postponed: Postpone) -> Effects:
        """The message goes out again later, as it was; a task that had begun says that it waits."""
        outgoing = (outgoing_of(envelope.postpone(), delay_seconds=postponed.delay_seconds),)
        task = await self._task_of(envelope)
        if task is None or task.state is not TaskState.RUNNING:
            return Effects(outgoing=outgoing)
        event = TaskPostponed(reason=postponed.reason, delay_seconds=postponed.delay_seconds)
        return Effects((append_to(AggregateType.TASK, task.id, task.version, [event]),), outgoing)

    async def effects_of_giving_up(self, envelope: Envelope, failure: Failure) -> Effects:
        """The message becomes a dead letter, and whoever waits for it learns that it failed.

        Where no order or turn ends with it, which its requester would learn, a notice of its own tells; but of a
        notice that failed no notice is sent.
        """
        buried = Effects((await self.burial(envelope, envelope.to_json(), failure),))
        match envelope.purpose:
            case Purpose.RUN_STEP:
                return buried + await self._step_failed(envelope, failure)
            case Purpose.UNDO_STEP:
                return buried + await self._undo_failed(envelope, failure) + _told(envelope, failure)
            case Purpose.PLAN_ORDER:
                return buried + await self._planning_failed(envelope, failure)
            case Purpose.ANSWER_TURN:
                return buried + await self._turn_failed(envelope, failure)
            case Purpose.TELL_BURIAL:
                return buried
            case _:
                return buried + _told(envelope, failure)

    async def burial(self, envelope: Envelope, body: bytes, failure: Failure, *, queue: str | None = None) -> Append:
        """The append that makes the message a dead letter."""
        letter = AggregateRef(AggregateType.DEAD_LETTER, envelope.stem)
        version = len(await self.store.read(letter))
        queue = queue or queue_of(envelope)
        return bury(envelope.stem, version=version, queue=queue, body=body, task_id=envelope.task_id, failure=failure)

    async def _task_of(self, envelope: Envelope) -> Task | None:
        """The task that the message asks to begin; `None` for messages that ask for something else."""
        return await self._task(envelope.task_id) if envelope.purpose in _BEGINS else None

    async def _task(self, task_id: str) -> Task | None:
        return fold_task(TaskId(task_id), await self.store.read(AggregateRef(AggregateType.TASK, task_id)))

    async def _step_failed(self, envelope: Envelope, failure: Failure) -> Effects:
        task = await self._task(envelope.task_id)
        if task is None or task.state.ended:
            return NO_EFFECTS
        failed = append_to(AggregateType.TASK, task.id, task.version, [TaskFailed(failure=failure)])
        return Effects((failed,), (outgoing_of(receipt_of(envelope, "ended")),))

    async def _undo_failed(self, envelope: Envelope, failure: Failure) -> Effects:
        task = await self._task(envelope.task_id)
        if task is None:
            return NO_EFFECTS
        undone = append_to(AggregateType.TASK, task.id, task.version, [TaskUndone(problem=failure.message)])
        return Effects((undone,), (outgoing_of(receipt_of(envelope, "undone")),))

    async def _planning_failed(self, envelope: Envelope, failure: Failure) -> Effects:
        order_ref = AggregateRef(AggregateType.TASK, envelope.task_id)
        order = fold_order(TaskId(envelope.task_id), await self.store.read(order_ref))
        if order is None or order.ended or order.plan is not None:
            return NO_EFFECTS
        failed = append_to(AggregateType.TASK, order.id, order.task.version, [TaskFailed(failure=failure)])
        return Effects((failed,), (outgoing_of(delivery_of(order.id, envelope, run=order.run)),))

    async def _turn_failed(self, envelope: Envelope, failure: Failure) -> Effects:
        ref = AggregateRef(AggregateType.CONVERSATION, envelope.task_id)
        conversation = fold_conversation(envelope.task_id, await self.store.read(ref))
        turn = int(envelope.details["turn"])
        if conversation is None or turn not in conversation.open_turns:
            return NO_EFFECTS
        failed = TurnFailed(turn=turn, failure=failure)
        return Effects((append_to(ref.type, ref.id, None, [failed]),))


def _told(envelope: Envelope, failure: Failure) -> Effects:
    told = burial_told(envelope.stem, failure, task_id=envelope.task_id, trace_id=envelope.trace_id)
    return Effects(outgoing=(outgoing_of(told),))
