"""The messages that workers send each other. Their ids follow from what they are about, so a double is known."""

from aicompany.failure import Failure
from aicompany.ids import TaskId, TraceId, message_id_of, order_id_of
from aicompany.messaging.envelope import Envelope, Purpose
from aicompany.messaging.lanes import Lane


def step_envelope(purpose: Purpose, step: TaskId, agent: str, cause: Envelope, *, lane: Lane, run: int) -> Envelope:
    """To an agent: run or undo a step, in the order's run number `run`."""
    return Envelope(
        id=message_id_of(purpose, step, run),
        purpose=purpose,
        task_id=step,
        lane=lane,
        agent=agent,
        run=run,
        trace_id=cause.trace_id,
    )


def receipt_of(cause: Envelope, what: str) -> Envelope:
    """To the PM: the step of this `run_step` or `undo_step` message ended. `what` is `ended` or `undone`."""
    return Envelope(
        id=message_id_of(f"{Purpose.STEP_ENDED}.{what}", cause.task_id, cause.run),
        purpose=Purpose.STEP_ENDED,
        task_id=cause.task_id,
        lane=cause.lane,
        run=cause.run,
        trace_id=cause.trace_id,
    )


def delivery_of(order: TaskId, cause: Envelope, *, run: int) -> Envelope:
    """To the result worker: the order ended in its run number `run`."""
    return Envelope(
        id=message_id_of(Purpose.DELIVER_RESULT, order_id_of(order), run),
        purpose=Purpose.DELIVER_RESULT,
        task_id=order,
        lane=cause.lane,
        run=run,
        trace_id=cause.trace_id,
    )


def burial_told(letter_id: str, failure: Failure, *, task_id: str, trace_id: TraceId) -> Envelope:
    """To the result worker: tell of this dead letter. However often it is buried, this is one message."""
    return Envelope(
        id=message_id_of(Purpose.TELL_BURIAL, letter_id),
        purpose=Purpose.TELL_BURIAL,
        task_id=task_id,
        lane=Lane.NORMAL,
        trace_id=trace_id,
        details={"letter": letter_id, "code": failure.code, "why": failure.message},
    )
