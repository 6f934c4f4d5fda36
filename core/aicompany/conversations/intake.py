"""What becomes of something the user says."""

from aicompany.conversations.events import ConversationStarted, TurnTaken
from aicompany.conversations.state import Conversation
from aicompany.ids import TraceId, message_id_of
from aicompany.messaging.envelope import Envelope, Purpose
from aicompany.messaging.lanes import Lane
from aicompany.messaging.topology import queue_of
from aicompany.ports.broker import Outgoing
from aicompany.ports.event_store import AggregateRef, AggregateType, Append, Change, NewEvent
from aicompany.spec.work import OrdersSpec
from aicompany.tasks.intake import check_text, check_unicode

DIALOG_LANE = Lane.HIGH
"""Somebody sits there and waits."""


def start_conversation(conversation_id: str, requester: str | None) -> Change:
    """The change that makes a conversation exist. Raises `OrderInvalid` for a requester that is no text."""
    check_unicode("the requester", requester or "")
    event = ConversationStarted(requester=requester)
    ref = AggregateRef(AggregateType.CONVERSATION, conversation_id)
    return Change(appends=(Append(ref, 0, (NewEvent(event.event_type, event.to_json()),)),))


def take_turn(conversation: Conversation, text: str, orders: OrdersSpec, *, trace_id: TraceId) -> tuple[int, Change]:
    """The turn's number and the change that takes it. Raises `OrderInvalid` and `OrderTooLarge`."""
    check_text("the text", text, bytes_max=orders.prompt_bytes_max)
    turn = conversation.turns + 1
    event = TurnTaken(turn=turn, text=text)
    ref = AggregateRef(AggregateType.CONVERSATION, conversation.id)
    envelope = Envelope(
        id=message_id_of(Purpose.ANSWER_TURN, conversation.id, turn),
        purpose=Purpose.ANSWER_TURN,
        task_id=conversation.id,
        lane=DIALOG_LANE,
        trace_id=trace_id,
        details={"turn": turn},
    )
    return turn, Change(
        appends=(Append(ref, conversation.version, (NewEvent(event.event_type, event.to_json()),)),),
        outgoing=(Outgoing(queue_of(envelope), envelope.to_json(), envelope.id),),
        metadata={"trace_id": trace_id},
    )
