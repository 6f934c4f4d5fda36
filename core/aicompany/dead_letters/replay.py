"""Bringing a dead letter back to life."""

from aicompany.dead_letters.events import MessageReplayed
from aicompany.errors import MessageUnreadable, NotPossible
from aicompany.ids import MessageId, TaskId, message_id_of, order_id_of
from aicompany.messaging.envelope import Envelope, Purpose
from aicompany.messaging.topology import queue_of
from aicompany.ports.broker import Outgoing
from aicompany.ports.event_store import AggregateRef, AggregateType, Append, Change, DeadLetterRow, NewEvent

_OF_AN_ORDER = frozenset({Purpose.PLAN_ORDER, Purpose.RUN_STEP, Purpose.UNDO_STEP, Purpose.REOPEN_ORDER})
"""Their failure ended the order, or left it ended, so it is reopened rather than the message repeated."""

_AGAIN = "@"
"""Between a message's id and the number of the time it is sent; needs no quoting in an address or a shell."""


def replay_of(letter: DeadLetterRow, *, by: str, order_run: int = 1) -> Change:
    """The change that sends it again. `order_run` is the run its order is in, for letters that ended an order.

    Raises `NotPossible` for one that was replayed already, whose body cannot be read, or that is a turn of a
    conversation: it was answered with its failure, and the conversation has gone on.
    """
    if letter.state != "buried":
        raise NotPossible(f"dead letter {letter.id} was replayed already; `aicompany task` shows what became of it")
    try:
        dead = Envelope.from_json(letter.body.encode())
    except MessageUnreadable as error:
        raise NotPossible(f"dead letter {letter.id} cannot be sent again: {error.message}") from error
    if dead.purpose is Purpose.ANSWER_TURN:
        raise NotPossible(f"turn {dead.details.get('turn')} of conversation {dead.task_id} has failed; say it again")
    envelope = _reopening(dead, order_run) if dead.purpose in _OF_AN_ORDER else _again(dead)
    event = MessageReplayed(by=by, run=envelope.run)
    return Change(
        appends=(
            Append(
                AggregateRef(AggregateType.DEAD_LETTER, letter.id),
                letter.version,
                (NewEvent(event.event_type, event.to_json()),),
            ),
        ),
        outgoing=(Outgoing(queue_of(envelope), envelope.to_json(), envelope.id),),
        metadata={"trace_id": dead.trace_id},
    )


def _reopening(dead: Envelope, order_run: int) -> Envelope:
    order = order_id_of(TaskId(dead.task_id))
    # A reopening that died has used up its run's id.
    run = (max(order_run, dead.run) if dead.purpose is Purpose.REOPEN_ORDER else order_run) + 1
    return Envelope(
        id=message_id_of(Purpose.REOPEN_ORDER, order, run),
        purpose=Purpose.REOPEN_ORDER,
        task_id=order,
        lane=dead.lane,
        run=run,
        trace_id=dead.trace_id,
    )


def _again(dead: Envelope) -> Envelope:
    """The same message under an id that no inbox has. Its run stays: that is the order's, and says what it is about."""
    first, _, times = dead.stem.partition(_AGAIN)
    again = MessageId(f"{first}{_AGAIN}{int(times) + 1 if times.isdecimal() else 2}")
    return dead.model_copy(update={"id": again, "attempt": 1, "postponed": 0})
