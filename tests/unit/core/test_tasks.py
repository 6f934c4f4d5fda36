"""Tasks: the table of states, what an answer is worth, priorities, complexity, intake."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aicompany.errors import AnswerCut, AnswerInvalid, DefectError, ModelRefused, OrderInvalid, OrderTooLarge
from aicompany.failure import Failure
from aicompany.ids import TaskId, TraceId
from aicompany.messaging.lanes import Lane
from aicompany.ports.event_store import AggregateRef, AggregateType, EventRecord
from aicompany.ports.model import ModelAnswer, StopReason, TextBlock, ToolUseBlock
from aicompany.spec.work import OrdersSpec
from aicompany.tasks.answer import CallTools, Finished, GoOn, Rejected, judge_answer
from aicompany.tasks.codec import TASK_EVENTS
from aicompany.tasks.complexity import complexity_of, mean_complexity
from aicompany.tasks.events import (
    ModelAnswered,
    RetryScheduled,
    TaskCancelled,
    TaskCompleted,
    TaskFailed,
    TaskPostponed,
    TaskReopened,
    TaskStarted,
    TaskSubmitted,
    TaskUndone,
    ToolsUsed,
)
from aicompany.tasks.intake import OrderRequest, accept_order, title_of
from aicompany.tasks.kind import kind_of
from aicompany.tasks.priority import analyse_priority
from aicompany.tasks.state import TRANSITIONS, Task, fold_task, has_nothing_to_do
from aicompany.tasks.task import Attachment, TaskKind, TaskState
from aicompany.usage import NO_USAGE, Usage

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FAILURE = Failure(code="c", message="m", permanent=False)
ANSWER = ModelAnswer(
    content=(TextBlock(text="x"),), stop_reason=StopReason.END_TURN, usage=Usage(calls=1, input_tokens=3), model="m"
)
SUBMITTED = TaskSubmitted(title="t", prompt="p", kind=TaskKind.CODE, lane=Lane.LOW, lane_reason="r")
SAMPLES = (
    SUBMITTED,
    TaskStarted(worker="w", attempt=1),
    ModelAnswered(call=1, answer=ANSWER, duration_seconds=1),
    ToolsUsed(call=1, results=(), files_created=("a",)),
    RetryScheduled(failure=FAILURE, attempt=1, delay_seconds=1),
    TaskPostponed(reason="r", delay_seconds=1),
    TaskCompleted(result="r", usage=NO_USAGE, duration_seconds=1),
    TaskFailed(failure=FAILURE),
    TaskCancelled(reason="r"),
    TaskUndone(),
    TaskReopened(run=2, reason="r"),
)


def record(event, version):
    ref = AggregateRef(AggregateType.TASK, "t")
    return EventRecord(version, ref, version, event.event_type, event.to_json(), {}, NOW)


def in_state(state):
    return Task(TaskId("t"), 1, state, SUBMITTED, NOW)


@pytest.mark.parametrize("state", TaskState)
@pytest.mark.parametrize("event", SAMPLES, ids=lambda event: event.event_type)
def test_every_pair_of_state_and_event_moves_as_the_table_says_or_is_a_defect(state, event):
    wanted = TRANSITIONS.get((state, type(event)))
    if wanted is None:
        with pytest.raises(DefectError, match=event.event_type):
            in_state(state).after(event, version=2, at=NOW)
    else:
        assert in_state(state).after(event, version=2, at=NOW).state is wanted


def test_there_is_a_sample_of_every_event():
    assert {event.event_type for event in SAMPLES} == set(TASK_EVENTS)


@pytest.mark.parametrize("event", SAMPLES, ids=lambda event: event.event_type)
def test_events_survive_the_store(event):
    assert TASK_EVENTS[event.event_type].model_validate_json(event.to_json()) == event


def test_a_run_that_is_reopened_forgets_its_answers_but_not_their_cost():
    events = [SUBMITTED, SAMPLES[1], SAMPLES[2], TaskFailed(failure=FAILURE), TaskReopened(run=2, reason="r")]
    task = fold_task(TaskId("t"), [record(event, n) for n, event in enumerate(events, start=1)])
    assert task is not None
    assert (task.state, task.run, task.answers, task.failure) == (TaskState.SUBMITTED, 2, (), None)
    assert task.usage.input_tokens == 3


def test_events_of_a_newer_version_are_passed_over():
    newer = EventRecord(2, AggregateRef(AggregateType.TASK, "t"), 2, "task_dreamt", "{}", {}, NOW)
    task = fold_task(TaskId("t"), [record(SUBMITTED, 1), newer])
    assert task is not None
    assert task.state is TaskState.SUBMITTED


@pytest.mark.parametrize(
    ("state", "run", "attempt", "redelivered", "nothing"),
    [
        (TaskState.SUBMITTED, 1, 1, False, False),
        (TaskState.RUNNING, 1, 1, True, False),
        (TaskState.RUNNING, 1, 1, False, True),
        (TaskState.RUNNING, 1, 2, False, False),
        (TaskState.COMPLETED, 1, 1, True, True),
        (TaskState.CANCELLED, 1, 1, False, True),
    ],
)
def test_copies_and_stale_messages_have_nothing_to_do(state, run, attempt, redelivered, nothing):
    task = Task(TaskId("t"), 2, state, SUBMITTED, NOW, attempt=1)
    assert has_nothing_to_do(task, run=run, attempt=attempt, redelivered=redelivered) is nothing


def answer(stop, *blocks):
    return ModelAnswer(content=blocks, stop_reason=stop, usage=NO_USAGE, model="m")


def test_every_stop_reason_has_a_verdict():
    text = TextBlock(text="x")
    tool = ToolUseBlock(id="1", name="n", input={})
    assert judge_answer(answer(StopReason.END_TURN, text)) == Finished("x")
    assert judge_answer(answer(StopReason.STOP_SEQUENCE, text)) == Finished("x")
    assert judge_answer(answer(StopReason.TOOL_USE, tool)) == CallTools((tool,))
    assert judge_answer(answer(StopReason.PAUSE_TURN, text)) == GoOn()
    for stop in set(StopReason) - {StopReason.END_TURN, StopReason.STOP_SEQUENCE, StopReason.TOOL_USE}:
        assert not isinstance(judge_answer(answer(stop, text)), Finished)


@pytest.mark.parametrize(
    ("given_answer", "error"),
    [
        (answer(StopReason.END_TURN, TextBlock(text="  \n")), AnswerInvalid),
        (answer(StopReason.TOOL_USE, TextBlock(text="x")), AnswerInvalid),
        (answer(StopReason.MAX_TOKENS, TextBlock(text="half an ans")), AnswerCut),
        (answer(StopReason.REFUSAL, TextBlock(text="no")), ModelRefused),
    ],
)
def test_a_refusal_a_cut_and_an_empty_answer_are_never_results(given_answer, error):
    verdict = judge_answer(given_answer)
    assert isinstance(verdict, Rejected)
    assert isinstance(verdict.error, error)


@given(st.text(), st.sampled_from(TaskKind), st.floats(0, 1e6), st.sampled_from(Lane))
def test_the_requesters_wish_wins_over_everything(prompt, kind, age, wished):
    assert analyse_priority(prompt, kind, age_seconds=age, requested=wished)[0] is wished


@pytest.mark.parametrize(
    ("prompt", "lane"),
    [
        ("URGENT: answer the customer", Lane.HIGH),
        ("please do it asap", Lane.HIGH),
        ("Das ist dringend", Lane.HIGH),
        ("Production is down!", Lane.CRITICAL),
        ("tidy up the wiki, no rush", Lane.LOW),
        ("irgendwann die Liste sortieren", Lane.LOW),
        ("this is not urgent", Lane.NORMAL),
        ("write about insurgents and urgently needed things", Lane.HIGH),
        ("a report on detergents", Lane.NORMAL),
    ],
)
def test_words_of_urgency_pick_the_lane(prompt, lane):
    assert analyse_priority(prompt, TaskKind.WRITING)[0] is lane


def test_an_order_remembers_whether_its_lane_was_asked_for():
    for wished in (None, Lane.LOW):
        (append,) = accept(prompt="Write a poem", priority=wished).change.appends
        submitted = TaskSubmitted.model_validate_json(append.events[0].data)
        assert submitted.lane_is_wish is (wished is not None)


def test_waiting_raises_a_lane_an_hour_but_never_to_critical():
    lanes = [analyse_priority("no rush", TaskKind.WRITING, age_seconds=3600 * h)[0] for h in (0, 1, 2, 9)]
    assert lanes == [Lane.LOW, Lane.NORMAL, Lane.HIGH, Lane.HIGH]


@pytest.mark.parametrize(
    ("characters", "kind", "seconds", "score"),
    [
        (500, TaskKind.WRITING, None, 1.0),
        (501, TaskKind.WRITING, None, 1.5),
        (501, TaskKind.CODE, 60, 2.5),
        (501, TaskKind.CODE, 61, 3.5),
    ],
)
def test_complexity_adds_up(characters, kind, seconds, score):
    assert complexity_of(characters=characters, kind=kind, work_seconds=seconds) == score


def test_mean_complexity_looks_at_the_last_ten():
    assert mean_complexity([]) == 1.0
    assert mean_complexity([9.0] * 5 + [1.0] * 10) == 1.0


@pytest.mark.parametrize(
    ("prompt", "kind"),
    [
        ("Write release notes", TaskKind.WRITING),
        ("Refactor this Python function and fix the bug", TaskKind.CODE),
        ("Compare and evaluate the two offers", TaskKind.ANALYSIS),
        ("Deploy the new version", TaskKind.OPERATIONS),
        ("How far is the moon?", TaskKind.QUESTION),
    ],
)
def test_the_kind_is_guessed_from_the_words(prompt, kind):
    assert kind_of(prompt) is kind


def accept(**fields):
    return accept_order(
        OrderRequest(**fields), OrdersSpec(prompt_bytes_max=1000, attachment_bytes_max=100, attachments_max=2),
        now=NOW, new_id=lambda: "new", trace_id=TraceId("0" * 32),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "error", "words"),
    [
        ({"prompt": " \n"}, OrderInvalid, "empty"),
        ({"prompt": "a\x00b"}, OrderInvalid, "NUL"),
        ({"prompt": "\ud800"}, OrderInvalid, "Unicode"),
        ({"prompt": "p", "conversation_id": "a\udfff"}, OrderInvalid, "id is not valid Unicode at character 1"),
        ({"prompt": "p", "attachments": [Attachment(name="f", content="\ud800")]}, OrderInvalid, "the file f is not"),
        ({"prompt": "ä" * 501}, OrderTooLarge, "1,002 bytes"),
        ({"prompt": "p", "attachments": [Attachment(name="f", content="x" * 101)]}, OrderTooLarge, "101 bytes"),
        ({"prompt": "p", "attachments": [Attachment(name="f", content="\x00")]}, OrderInvalid, "not text"),
        ({"prompt": "p", "attachments": [Attachment(name="f", content="")] * 3}, OrderTooLarge, "3 files"),
    ],
)
def test_what_is_refused_is_refused_with_a_sentence(fields, error, words):
    with pytest.raises(error, match=words):
        accept(**fields)


def test_an_accepted_order_is_one_change_with_one_message():
    accepted = accept(prompt="Write a poem", deadline_seconds=60)
    (append,), (message,) = accepted.change.appends, accepted.change.outgoing
    assert (append.expected_version, append.events[0].event_type) == (0, "task_submitted")
    assert (message.queue, message.message_id) == ("pm.normal", "plan_order:new:1")


@given(
    st.text() | st.text(st.characters(categories=["Cs", "Ll", "Zs"])),
    st.none() | st.text(max_size=20),
    st.lists(st.text(st.characters(categories=["Cs", "Cc", "Ll"])), max_size=3),
    st.none() | st.floats(min_value=0, exclude_min=True),
    st.floats(min_value=0, exclude_min=True),
)
def test_whatever_is_handed_in_is_refused_with_a_sentence_or_can_be_stored_and_read_again(
    prompt, title, contents, wished, limit
):
    files = [Attachment(name="f", content=content) for content in contents]
    request = OrderRequest(prompt=prompt, title=title, attachments=tuple(files), deadline_seconds=wished)
    limits = OrdersSpec(prompt_bytes_max=50, attachment_bytes_max=50, attachments_max=2, deadline_seconds=limit)
    try:
        accepted = accept_order(request, limits, now=NOW, new_id=lambda: "new", trace_id=TraceId("0" * 32))
    except OrderInvalid:
        return
    submitted = TaskSubmitted.model_validate_json(accepted.change.appends[0].events[0].data)
    assert submitted.prompt == prompt
    assert submitted.attachments == tuple(files)
    assert submitted.title
    assert submitted.deadline is not None
    assert submitted.deadline >= NOW
    if min(wished or limit, limit) < 1e9:
        assert abs((submitted.deadline - NOW).total_seconds() - min(wished or limit, limit)) < 1e-3


def test_the_same_key_of_the_same_requester_is_the_same_order():
    limits = OrdersSpec()

    def accepted(requester, key):
        request = OrderRequest(prompt="p", requester=requester)
        drawn = iter("abcdefgh")
        return accept_order(
            request, limits, now=NOW, new_id=lambda: next(drawn), trace_id=TraceId("0" * 32), idempotency_key=key
        ).task_id

    assert accepted("me", "k") == accepted("me", "k")
    assert len({accepted("me", "k"), accepted("you", "k"), accepted("me", "l"), accepted("me", None)}) == 4


def test_a_long_first_line_is_shortened_in_the_title():
    title = title_of("\n  " + "word " * 40 + "\nmore")
    assert (len(title) <= 80, title.endswith("word…")) == (True, True)
