"""Dead letters: what is buried can be told apart, and what is replayed has an effect."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aicompany.dead_letters.bury import bury
from aicompany.dead_letters.events import MessageBuried, MessageReplayed
from aicompany.dead_letters.replay import replay_of
from aicompany.errors import NotPossible
from aicompany.failure import Failure
from aicompany.ids import TaskId, TraceId, message_id_of, step_id_of
from aicompany.messaging.envelope import Envelope, Purpose
from aicompany.messaging.lanes import Lane
from aicompany.ports.event_store import AggregateType, DeadLetterRow

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ORDER = TaskId("order")
FAILURE = Failure(code="defect", message="m", permanent=False)
OF_A_STEP = {Purpose.RUN_STEP, Purpose.UNDO_STEP, Purpose.STEP_ENDED}
REOPENS = {Purpose.PLAN_ORDER, Purpose.RUN_STEP, Purpose.UNDO_STEP, Purpose.REOPEN_ORDER}
SENT_AGAIN = set(Purpose) - REOPENS - {Purpose.ANSWER_TURN}


def envelope_of(purpose, run=1):
    task = step_id_of(ORDER, 1, 1) if purpose in OF_A_STEP else ORDER
    return Envelope(
        id=message_id_of(purpose, task, run), purpose=purpose, task_id=task, lane=Lane.HIGH, run=run,
        agent="writer" if purpose in {Purpose.RUN_STEP, Purpose.UNDO_STEP} else None, trace_id=TraceId("0" * 32),
        details={"turn": 3} if purpose is Purpose.ANSWER_TURN else {},
    )  # fmt: skip


def letter_of(body, *, state="buried", version=1, letter_id="m"):
    return DeadLetterRow(
        id=letter_id, state=state, task_id=None, queue="q", error_code="c", error_message="m", body=body, burials=1,
        buried_at=NOW, replayed_at=None, version=version,
    )  # fmt: skip


def replayed(envelope, order_run=1):
    change = replay_of(letter_of(envelope.to_json().decode()), by="me", order_run=order_run)
    (outgoing,) = change.outgoing
    again = Envelope.from_json(outgoing.body)
    assert outgoing.message_id == again.id
    return again


@given(st.sampled_from(sorted(REOPENS)), st.integers(1, 9), st.integers(1, 9), st.integers(0, 2))
def test_what_ended_an_order_reopens_it_with_a_run_of_its_own(purpose, run, order_run, retries):
    dead = envelope_of(purpose, run)
    for _ in range(retries):
        dead = dead.next_attempt()
    again = replayed(dead, order_run)
    assert (again.purpose, again.task_id) == (Purpose.REOPEN_ORDER, ORDER)
    assert again.run > order_run
    assert again.id != dead.stem


def test_a_reopening_that_died_is_not_sent_again_under_the_id_it_died_with():
    died = envelope_of(Purpose.REOPEN_ORDER, run=2)
    again = replayed(died, order_run=1)
    assert (again.run, again.id) == (3, "reopen_order:order:3")


@given(st.sampled_from(sorted(SENT_AGAIN)), st.integers(1, 9), st.integers(1, 5))
def test_anything_else_is_sent_again_about_the_same_run_and_never_under_an_id_that_was_handled(purpose, run, times):
    sent = [envelope_of(purpose, run)]
    for _ in range(times):
        died = sent[-1].next_attempt().postpone()
        sent.append(replayed(died, order_run=run))
    assert len({envelope.stem for envelope in sent}) == len(sent)
    unchanged = {"purpose", "task_id", "run", "lane", "agent", "trace_id", "attempt", "postponed"}
    for envelope in sent:
        assert envelope.model_dump(include=unchanged) == sent[0].model_dump(include=unchanged)


def test_a_turn_is_said_again_rather_than_replayed():
    with pytest.raises(NotPossible, match=r"turn 3 .* say it again"):
        replayed(envelope_of(Purpose.ANSWER_TURN))


@pytest.mark.parametrize("body", ["", "{}", "\ufffd"])
def test_what_cannot_be_read_cannot_be_sent_again(body):
    with pytest.raises(NotPossible, match="cannot be sent again"):
        replay_of(letter_of(body), by="me")


def test_a_letter_is_replayed_once():
    with pytest.raises(NotPossible, match="already"):
        replay_of(letter_of(envelope_of(Purpose.RUN_STEP).to_json().decode(), state="replayed"), by="me")


def test_a_replay_is_noted_at_the_letters_version_by_whom():
    body = envelope_of(Purpose.DELIVER_RESULT).to_json().decode()
    change = replay_of(letter_of(body, version=7, letter_id="deliver_result:order:1"), by="somebody")
    (append,) = change.appends
    assert (append.aggregate.type, append.aggregate.id) == (AggregateType.DEAD_LETTER, "deliver_result:order:1")
    assert append.expected_version == 7
    assert MessageReplayed.model_validate_json(append.events[0].data).by == "somebody"


@given(st.binary())
def test_any_body_can_be_buried(body):
    append = bury("stem", version=0, queue="q", body=body, task_id=None, failure=FAILURE)
    buried = MessageBuried.model_validate_json(append.events[0].data)
    assert buried.body == body.decode(errors="replace")
    assert buried.failure == FAILURE
