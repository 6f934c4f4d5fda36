"""The judge finds nothing in a good run, and every kind of wrong in a run that was made wrong by hand."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.faults.evidence import (
    Call,
    Cause,
    Death,
    Disturbance,
    Evidence,
    Outcome,
    Sort,
    StoredEvent,
    Submission,
    answer_of,
    mark_of,
)
from tests.faults.judge import Charge, judge

ORDER, PLANNED, TALK = "aaa", "bbb", "ccc"


def call(key: str, request: str, process: str = "task-1.1", at: float = 10.0, **others: object) -> Call:
    return Call(key, request, process, at, at + 0.1, others.pop("outcome", Outcome.ANSWERED), **others)  # type: ignore[arg-type]


def a_good_run() -> Evidence:
    """Order 1 is plain, order 2 planned, 3 and 4 are turns of one conversation."""
    rows: list[tuple[str, str, dict[str, object]]] = [
        (ORDER, "task_submitted", {"prompt": f"Tell {mark_of(1)}."}),
        (ORDER, "plan_made", {"plan": {"phases": [{"steps": [{}]}]}}),
        (f"{ORDER}.1.1", "task_submitted", {"prompt": f"Tell {mark_of(1)}."}),
        (f"{ORDER}.1.1", "task_started", {}),
        (f"{ORDER}.1.1", "model_answered", {"call": 1, "answer": {"request_id": "r1"}}),
        (f"{ORDER}.1.1", "task_completed", {}),
        (ORDER, "task_completed", {}),
        (ORDER, "result_delivered", {}),
        (PLANNED, "task_submitted", {"prompt": f"Tell {mark_of(2)}."}),
        (PLANNED, "model_answered", {"call": 1, "answer": {"request_id": "r2"}}),
        (PLANNED, "plan_made", {"plan": {"phases": [{"steps": [{}]}, {"steps": [{}]}]}}),
        (f"{PLANNED}.1.1", "task_submitted", {"prompt": f"Do part 1 of {mark_of(2)}."}),
        (f"{PLANNED}.1.1", "model_answered", {"call": 1, "answer": {"request_id": "r3"}}),
        (f"{PLANNED}.1.1", "task_completed", {}),
        (f"{PLANNED}.2.1", "task_submitted", {"prompt": f"Do part 2 of {mark_of(2)}."}),
        (f"{PLANNED}.2.1", "model_answered", {"call": 1, "answer": {"cached": True}}),
        (f"{PLANNED}.2.1", "task_completed", {}),
        (PLANNED, "task_completed", {}),
        (PLANNED, "result_delivered", {}),
        (TALK, "conversation_started", {}),
        (TALK, "turn_taken", {"turn": 1, "text": f"What is {mark_of(3)}?"}),
        (TALK, "turn_taken", {"turn": 2, "text": f"What is {mark_of(4)}?"}),
        (TALK, "turn_answered", {"turn": 1, "text": answer_of("3")}),
        (TALK, "turn_answered", {"turn": 2, "text": answer_of("4")}),
    ]
    return Evidence(
        submissions=(
            Submission(1, Sort.PLAIN, task_id=ORDER),
            Submission(2, Sort.PLANNED, task_id=PLANNED),
            Submission(3, Sort.TURN, conversation=TALK, turn=1),
            Submission(4, Sort.TURN, conversation=TALK, turn=2),
        ),
        calls=(
            call("1", "r1"),
            call("2/plan", "r2"),
            call("2/1", "r3"),
            call("2/2", "r4"),
            call("3", "r5"),
            call("4", "r6", at=11, context=(3,)),
        ),
        events=tuple(StoredEvent(place, task, 1, kind, data) for place, (task, kind, data) in enumerate(rows, 1)),
        notices=(ORDER, PLANNED),
        results={ORDER: answer_of("1"), PLANNED: answer_of("2/2")},
    )


def without(run: Evidence, task: str, kind: str, **data: object) -> Evidence:
    kept = tuple(event for event in run.events if not _is(event, task, kind, data))
    assert len(kept) < len(run.events)
    return replace(run, events=kept)


def twice(run: Evidence, task: str, kind: str, **data: object) -> Evidence:
    found = next(event for event in run.events if _is(event, task, kind, data))
    return replace(run, events=(*run.events, replace(found, position=len(run.events) + 1)))


def other(run: Evidence, task: str, kind: str, **changes: object) -> Evidence:
    events = tuple(replace(event, **changes) if _is(event, task, kind, {}) else event for event in run.events)  # type: ignore[arg-type]
    assert events != run.events
    return replace(run, events=events)


def swapped(run: Evidence, kind: str) -> Evidence:
    first, second = (event for event in run.events if event.event_type == kind)
    places = {first.position: second.position, second.position: first.position}
    moved = (replace(event, position=places.get(event.position, event.position)) for event in run.events)
    return replace(run, events=tuple(moved))


def also(run: Evidence, *calls: Call, **others: object) -> Evidence:
    return replace(run, calls=(*run.calls, *calls), **others)  # type: ignore[arg-type]


def _is(event: StoredEvent, task: str, kind: str, data: dict[str, object]) -> bool:
    return event.aggregate_id == task and event.event_type == kind and data.items() <= event.data.items()


def submitted(run: Evidence, number: int, **changes: object) -> Evidence:
    return replace(
        run,
        submissions=tuple(replace(one, **changes) if one.number == number else one for one in run.submissions),  # type: ignore[arg-type]
    )


def test_a_good_run_is_good() -> None:
    verdict = judge(a_good_run())
    assert verdict.findings == ()
    assert verdict.counts["accepted"] == 4
    assert verdict.counts["results delivered"] == 2


WRONG: dict[str, tuple[Charge, Callable[[Evidence], Evidence]]] = {
    "accepted, not stored": (Charge.LOST, lambda run: submitted(run, 1, task_id="zzz")),
    "never delivered": (Charge.LOST, lambda run: without(run, ORDER, "result_delivered")),
    "never ended": (Charge.LOST, lambda run: without(run, ORDER, "task_completed")),
    "step never ended": (Charge.LOST, lambda run: without(run, f"{PLANNED}.2.1", "task_completed")),
    "never told": (Charge.LOST, lambda run: replace(run, notices=(PLANNED,))),
    "no result": (Charge.LOST, lambda run: replace(run, results={ORDER: answer_of("1")})),
    "turn not stored": (Charge.LOST, lambda run: submitted(run, 4, turn=7)),
    "turn never answered": (Charge.LOST, lambda run: without(run, TALK, "turn_answered", turn=2)),
    "stored twice": (Charge.DOUBLED_EFFECT, lambda run: other(run, PLANNED, "task_submitted", data={"prompt": "#1#"})),
    "ended twice": (Charge.DOUBLED_EFFECT, lambda run: twice(run, ORDER, "task_completed")),
    "step ended twice": (Charge.DOUBLED_EFFECT, lambda run: twice(run, f"{ORDER}.1.1", "task_completed")),
    "delivered twice": (Charge.DOUBLED_EFFECT, lambda run: twice(run, ORDER, "result_delivered")),
    "planned twice": (Charge.DOUBLED_EFFECT, lambda run: twice(run, PLANNED, "plan_made")),
    "answer stored twice": (Charge.DOUBLED_EFFECT, lambda run: twice(run, f"{ORDER}.1.1", "model_answered")),
    "told twice": (Charge.DOUBLED_EFFECT, lambda run: replace(run, notices=(*run.notices, ORDER))),
    "result holds it twice": (
        Charge.DOUBLED_EFFECT,
        lambda run: replace(run, results=run.results | {ORDER: answer_of("1") * 2}),
    ),
    "turn answered twice": (Charge.DOUBLED_EFFECT, lambda run: twice(run, TALK, "turn_answered", turn=1)),
    "turn taken twice": (Charge.DOUBLED_EFFECT, lambda run: twice(run, TALK, "turn_taken", turn=1)),
    "called twice": (Charge.DOUBLED_CALL, lambda run: also(run, call("1", "r9", "task-2.1", at=20))),
    "called twice, then died much later": (
        Charge.DOUBLED_CALL,
        lambda run: also(run, call("1", "r0", at=5), deaths=(Death("task-1.1", 30, 30, Cause.KILLED),)),
    ),
    "called twice around an orderly stop": (
        Charge.DOUBLED_CALL,
        lambda run: also(run, call("1", "r0", at=5), deaths=(Death("task-1.1", 7, 7, Cause.STOPPED),)),
    ),
    "called twice around another's death": (
        Charge.DOUBLED_CALL,
        lambda run: also(run, call("1", "r0", at=5), deaths=(Death("task-1.2", 7, 7, Cause.KILLED),)),
    ),
    "called twice long after a disturbance": (
        Charge.DOUBLED_CALL,
        lambda run: also(run, call("1", "r0", at=5), disturbances=(Disturbance(1, 2),)),
    ),
    "given up by its caller": (
        Charge.DOUBLED_CALL,
        lambda run: also(run, call("1", "r0", at=5, outcome=Outcome.ABANDONED)),
    ),
    "turn called twice": (Charge.DOUBLED_CALL, lambda run: also(run, call("3", "r9", at=5))),
    "cached answer paid twice": (Charge.DOUBLED_CALL, lambda run: also(run, call("2/2", "r9", at=5))),
    "answered out of order": (Charge.OUT_OF_ORDER, lambda run: swapped(run, "turn_answered")),
    "taken out of order": (Charge.OUT_OF_ORDER, lambda run: submitted(submitted(run, 3, turn=2), 4, turn=1)),
    "called without the turn before": (
        Charge.OUT_OF_ORDER,
        lambda run: replace(run, calls=(*run.calls[:-1], replace(run.calls[-1], context=()))),
    ),
    "failed": (Charge.UNEXPLAINED, lambda run: other(run, ORDER, "task_completed", event_type="task_failed")),
    "cancelled": (Charge.UNEXPLAINED, lambda run: other(run, ORDER, "task_completed", event_type="task_cancelled")),
    "turn failed": (
        Charge.UNEXPLAINED,
        lambda run: other(run, TALK, "turn_answered", event_type="turn_failed", data={"turn": 1, "failure": {}}),
    ),
    "another's result": (
        Charge.UNEXPLAINED,
        lambda run: replace(run, results=run.results | {ORDER: answer_of("2/2")}),
    ),
    "another's turn": (
        Charge.UNEXPLAINED,
        lambda run: other(run, TALK, "turn_answered", data={"turn": 1, "text": answer_of("4")}),
    ),
    "an order of nobody": (Charge.UNEXPLAINED, lambda run: replace(run, submissions=run.submissions[1:])),
    "a turn of nobody": (Charge.UNEXPLAINED, lambda run: replace(run, submissions=run.submissions[:-1])),
    "a notice of nothing": (Charge.UNEXPLAINED, lambda run: replace(run, notices=(*run.notices, "zzz"))),
    "a call for nothing": (Charge.UNEXPLAINED, lambda run: also(run, call("77", "r9"))),
    "a dead letter": (
        Charge.UNEXPLAINED,
        lambda run: replace(run, events=(*run.events, StoredEvent(99, "run_step:x:1", 1, "message_buried", {}))),
    ),
    "a crash": (
        Charge.UNEXPLAINED,
        lambda run: replace(run, deaths=(Death("pm.1", 7, 7, Cause.BY_ITSELF, "exit code 70"),)),
    ),
}


@pytest.mark.parametrize(("charge", "wrong"), WRONG.values(), ids=list(WRONG))
def test_what_is_wrong_is_found(charge: Charge, wrong: Callable[[Evidence], Evidence]) -> None:
    verdict = judge(wrong(a_good_run()))
    assert charge in {finding.charge for finding in verdict.findings}, verdict.findings


EXCUSED: dict[str, Callable[[Evidence], Evidence]] = {
    "its process was killed with it in hand": lambda run: also(
        run, call("1", "r0", at=5), deaths=(Death("task-1.1", 7, 7.1, Cause.KILLED),)
    ),
    "its process ran out of its grace period": lambda run: also(
        run, call("1", "r0", at=5, outcome=Outcome.ABANDONED), deaths=(Death("task-1.1", 7, 9, Cause.OVERDUE),)
    ),
    "the service refused it": lambda run: also(run, call("1", "r0", at=5, outcome=Outcome.REFUSED)),
    "the service never answered it": lambda run: also(run, call("1", "r0", at=5, outcome=Outcome.BROKEN)),
    "its connection was broken": lambda run: also(run, call("1", "r0", at=5), disturbances=(Disturbance(5.05, 6),)),
}


@pytest.mark.parametrize("excused", EXCUSED.values(), ids=list(EXCUSED))
def test_what_the_faults_explain_is_no_finding(excused: Callable[[Evidence], Evidence]) -> None:
    assert judge(excused(a_good_run())).findings == ()


def test_a_process_that_could_not_begin_is_no_finding() -> None:
    run = replace(a_good_run(), deaths=(Death("pm.1", 7, 7, Cause.NOT_BEGUN),))
    assert judge(run).findings == ()
