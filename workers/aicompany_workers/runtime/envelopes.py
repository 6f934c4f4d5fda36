"""The messages that workers send each other. Their ids follow from what they are about, so a double is known."""

from aicompany.ids import TaskId, message_id_of, order_id_of
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
