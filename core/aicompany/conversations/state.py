"""A conversation as it stands."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from aicompany.conversations.events import ConversationStarted, TurnAnswered, TurnFailed, TurnTaken
from aicompany.errors import DefectError
from aicompany.events import index_by_type
from aicompany.ports.event_store import EventRecord
from aicompany.ports.model import ModelMessage, TextBlock
from aicompany.tasks.codec import decode_all

CONVERSATION_EVENTS = index_by_type(ConversationStarted, TurnTaken, TurnAnswered, TurnFailed)


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation folded over its events."""

    id: str
    version: int
    requester: str | None
    history: tuple[ModelMessage, ...] = ()
    """What passed between user and company in answered turns."""
    open_texts: tuple[tuple[int, str], ...] = ()
    """Turn and text of what the user said and nobody answered yet, in order."""
    turns: int = 0

    @property
    def open_turns(self) -> frozenset[int]:
        """Turns that wait for an answer."""
        return frozenset(turn for turn, _ in self.open_texts)

    def question(self, turn: int) -> tuple[ModelMessage, ...]:
        """The messages to answer a turn with: the history and what the user said in it."""
        text = next(text for number, text in self.open_texts if number == turn)
        return (*self.history, ModelMessage(role="user", content=(TextBlock(text=text),)))


def fold_conversation(conversation_id: str, records: Iterable[EventRecord]) -> Conversation | None:
    """The conversation after its records; `None` when there are none. Raises `DefectError` for a broken history."""
    state: Conversation | None = None
    for record, event in decode_all(records, CONVERSATION_EVENTS):
        if isinstance(event, ConversationStarted):
            state = Conversation(conversation_id, record.version, event.requester)
            continue
        if state is None:
            raise DefectError(f"the history of conversation {conversation_id} begins with {event.event_type}")
        state = replace(state, version=record.version)
        match event:
            case TurnTaken(turn=turn, text=text):
                state = replace(state, turns=turn, open_texts=(*state.open_texts, (turn, text)))
            case TurnAnswered(turn=turn, messages=messages):
                state = replace(state, history=(*state.history, *messages), open_texts=_without(state, turn))
            case TurnFailed(turn=turn):
                state = replace(state, open_texts=_without(state, turn))
    return state


def _without(state: Conversation, turn: int) -> tuple[tuple[int, str], ...]:
    return tuple((number, text) for number, text in state.open_texts if number != turn)
