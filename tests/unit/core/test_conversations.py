"""A conversation is the same after any restart: folded from its events, its turns and its history."""

from datetime import UTC, datetime

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from aicompany.conversations.events import TurnAnswered, TurnFailed, TurnTaken
from aicompany.conversations.intake import DIALOG_LANE, start_conversation, take_turn
from aicompany.conversations.state import fold_conversation
from aicompany.errors import DefectError, OrderInvalid, OrderTooLarge
from aicompany.failure import Failure
from aicompany.ids import TraceId
from aicompany.messaging.envelope import Envelope, Purpose
from aicompany.ports.event_store import EventRecord, NewEvent
from aicompany.ports.model import ModelMessage, TextBlock
from aicompany.spec.work import OrdersSpec
from aicompany.usage import NO_USAGE

NOW = datetime(2026, 1, 1, tzinfo=UTC)
TRACE = TraceId("0" * 32)
LIMITS = OrdersSpec(prompt_bytes_max=100)
FAILURE = Failure(code="c", message="m", permanent=True)
CONVERSATION = "c"


def message(role, text):
    return ModelMessage(role=role, content=(TextBlock(text=text),))


class Dialog(RuleBasedStateMachine):
    """Somebody talks, faster than they are answered, and is answered or not."""

    def __init__(self):
        super().__init__()
        self.records = []
        self.said = {}
        self.open = []
        self.history = ()

    @initialize(requester=st.none() | st.text(max_size=5))
    def start(self, requester):
        (append,) = start_conversation(CONVERSATION, requester).appends
        assert append.expected_version == 0
        self.store(append.events)
        self.requester = requester

    @rule(text=st.text("ab ", min_size=1).filter(str.strip))
    def say(self, text):
        turn, change = take_turn(self.conversation, text, LIMITS, trace_id=TRACE)
        (append,), (outgoing,) = change.appends, change.outgoing
        envelope = Envelope.from_json(outgoing.body)
        assert append.expected_version == len(self.records)
        assert turn == len(self.said) + 1
        assert (envelope.purpose, envelope.lane, envelope.details) == (
            Purpose.ANSWER_TURN, DIALOG_LANE, {"turn": turn},
        )  # fmt: skip
        self.said[turn] = text
        self.open.append(turn)
        self.store(append.events)

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def answer(self, data):
        turn = data.draw(st.sampled_from(self.open))
        passed = (message("user", self.said[turn]), message("assistant", f"answer {turn}"))
        self.append(TurnAnswered(turn=turn, text=f"answer {turn}", messages=passed, usage=NO_USAGE))
        self.open.remove(turn)
        self.history += passed

    @precondition(lambda self: self.open)
    @rule(data=st.data())
    def fail(self, data):
        turn = data.draw(st.sampled_from(self.open))
        self.append(TurnFailed(turn=turn, failure=FAILURE))
        self.open.remove(turn)

    @invariant()
    def it_stands_as_it_was_left(self):
        if not self.records:
            return
        conversation = self.conversation
        assert conversation.version == len(self.records)
        assert conversation.requester == self.requester
        assert conversation.turns == len(self.said)
        assert conversation.open_turns == frozenset(self.open)
        assert conversation.history == self.history
        for turn in self.open:
            assert conversation.question(turn) == (*self.history, message("user", self.said[turn]))

    @property
    def conversation(self):
        return fold_conversation(CONVERSATION, self.records)

    def append(self, event):
        self.store((NewEvent(event.event_type, event.to_json()),))

    def store(self, events):
        for event in events:
            version = len(self.records) + 1
            self.records.append(EventRecord(version, None, version, event.event_type, event.data, {}, NOW))


TestDialog = Dialog.TestCase
TestDialog.settings = settings(max_examples=100, stateful_step_count=20, deadline=None)


def test_nothing_is_no_conversation():
    assert fold_conversation(CONVERSATION, []) is None


def test_a_history_without_its_beginning_is_a_defect():
    event = TurnTaken(turn=1, text="x")
    record = EventRecord(1, None, 1, event.event_type, event.to_json(), {}, NOW)
    with pytest.raises(DefectError, match="begins with turn_taken"):
        fold_conversation(CONVERSATION, [record])


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", OrderInvalid),
        (" \n", OrderInvalid),
        ("\x00", OrderInvalid),
        ("\ud800", OrderInvalid),
        ("x" * 101, OrderTooLarge),
    ],
)
def test_a_turn_that_is_no_text_is_refused(text, error):
    (append,) = start_conversation(CONVERSATION, None).appends
    event = append.events[0]
    conversation = fold_conversation(CONVERSATION, [EventRecord(1, None, 1, event.event_type, event.data, {}, NOW)])
    with pytest.raises(error):
        take_turn(conversation, text, LIMITS, trace_id=TRACE)


def test_a_requester_that_is_no_text_is_refused():
    with pytest.raises(OrderInvalid, match="requester"):
        start_conversation(CONVERSATION, "\udfff")
