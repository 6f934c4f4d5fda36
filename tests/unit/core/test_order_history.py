"""Orders: deadlines, cancellations and reopenings at their edges, and what an order brings."""

from datetime import UTC, datetime, timedelta

import pytest

from aicompany.errors import DefectError, NotPossible
from aicompany.failure import Failure
from aicompany.ids import TaskId
from aicompany.messaging.lanes import Lane
from aicompany.plans.decide import NextMove, decide_cancel, decide_due, decide_next, decide_reopen, record_receipt
from aicompany.plans.events import PlanMade, StepsDispatched
from aicompany.plans.plan import Phase, Plan, PlanSource, Step, StepOutcome
from aicompany.plans.result import compose_result
from aicompany.plans.state import Order, StepStatus
from aicompany.spec.work import PlanningSpec
from aicompany.tasks.events import TaskCancelled, TaskCompleted, TaskFailed, TaskReopened, TaskStarted, TaskSubmitted
from aicompany.tasks.state import Task
from aicompany.tasks.task import TaskKind, TaskState
from aicompany.usage import NO_USAGE, Usage

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DEADLINE = NOW + timedelta(hours=1)
LATE = DEADLINE + timedelta(days=1)
FAILURE = Failure(code="model_refused", message="it said no", permanent=True)
STARTED = TaskStarted(worker="w", attempt=1)


def order_after(*events, at=NOW, deadline=DEADLINE):
    submitted = TaskSubmitted(
        title="t", prompt="p", kind=TaskKind.WRITING, lane=Lane.NORMAL, lane_reason="r", deadline=deadline
    )
    order = Order(Task(TaskId("order"), 1, TaskState.SUBMITTED, submitted, NOW))
    for event in events:
        order = order.after(event, version=order.task.version + 1, at=at)
    return order


def planned(*sizes):
    phases = tuple(
        Phase(
            name=f"phase {phase}",
            steps=tuple(Step(title=f"{phase}.{n}", instruction="i", kind=TaskKind.WRITING) for n in range(1, size + 1)),
        )
        for phase, size in enumerate(sizes, start=1)
    )
    return PlanMade(plan=Plan(phases=phases), source=PlanSource.MODEL)


@pytest.mark.parametrize("now", [NOW, DEADLINE - timedelta(microseconds=1)])
def test_before_its_deadline_nothing_is_due(now):
    assert decide_due(order_after(), now) == NextMove()


def test_an_order_without_a_deadline_is_never_due():
    assert decide_due(order_after(deadline=None), LATE) == NextMove()


def test_an_order_without_a_plan_that_is_due_fails_at_once_and_is_delivered():
    move = decide_due(order_after(), DEADLINE)
    (failed,) = move.events
    assert isinstance(failed, TaskFailed)
    assert failed.failure.code == "deadline_passed"
    assert move.deliver


def test_an_order_without_a_plan_that_is_cancelled_ends_at_once_and_is_delivered():
    assert decide_cancel(order_after(STARTED), "not wanted") == NextMove(
        events=(TaskCancelled(reason="not wanted"),), deliver=True
    )


def test_an_order_that_is_reopened_after_its_deadline_is_not_due_again():
    failed = (STARTED, TaskFailed(failure=FAILURE))
    reopened = order_after(*failed, at=NOW).after(TaskReopened(run=2, reason="r"), version=9, at=LATE)
    assert decide_due(reopened, LATE + timedelta(days=9)) == NextMove()


def test_an_order_that_is_reopened_before_its_deadline_keeps_it():
    reopened = order_after(STARTED, TaskFailed(failure=FAILURE), TaskReopened(run=2, reason="r"))
    assert decide_due(reopened, DEADLINE).deliver


@pytest.mark.parametrize("ended", [False, True])
def test_what_runs_or_is_done_cannot_be_reopened(ended):
    completed = (TaskCompleted(result="r", usage=NO_USAGE, duration_seconds=1),) if ended else ()
    order = order_after(STARTED, planned(1), *completed)
    with pytest.raises(NotPossible, match="only one that failed"):
        decide_reopen(order, 2, "r")


def test_a_failed_order_without_a_plan_is_planned_again():
    move = decide_reopen(order_after(STARTED, TaskFailed(failure=FAILURE)), 2, "r")
    assert move.plan_again
    assert move.events == (TaskReopened(run=2, reason="r"),)


def test_a_failed_step_names_itself_in_the_failure_of_the_order():
    order = order_after(STARTED, planned(1))
    order = order.after(StepsDispatched(phase=1, steps=("order.1.1",)), version=4, at=NOW)
    receipt = record_receipt(
        order, TaskId("order.1.1"), run=1, outcome=StepOutcome.FAILED, usage=NO_USAGE, failure=FAILURE
    )
    move = decide_next(order.after(receipt, version=5, at=NOW), PlanningSpec())
    assert move.undo == ("order.1.1",)
    assert move.events[0].failure == Failure(
        code="model_refused", message="step order.1.1 (1.1) failed: it said no", permanent=True
    )


def test_a_receipt_of_another_run_or_of_a_step_never_handed_out_has_no_effect():
    order = order_after(STARTED, planned(2), StepsDispatched(phase=1, steps=("order.1.1",)))
    done = {"outcome": StepOutcome.COMPLETED, "usage": Usage(calls=1), "failure": None}
    assert record_receipt(order, TaskId("order.1.1"), run=2, **done) is None
    assert record_receipt(order, TaskId("order.1.2"), run=1, **done) is None
    assert record_receipt(order, TaskId("order.7.7"), run=1, **done) is None
    receipt = record_receipt(order, TaskId("order.1.1"), run=1, **done)
    after = order.after(receipt, version=9, at=NOW)
    assert after.status[TaskId("order.1.1")] is StepStatus.COMPLETED
    assert after.usage.calls == 1


def test_a_second_plan_is_a_defect():
    with pytest.raises(DefectError, match="a plan already"):
        order_after(STARTED, planned(1), planned(1))


@pytest.mark.parametrize("step", ["order.1.3", "order.3.1", "order.0.1", "order.1.0", "other.1.1"])
def test_a_step_that_is_not_in_the_plan_is_a_defect(step):
    order = order_after(STARTED, planned(2, 1))
    assert order.step(TaskId("order.1.2")).title == "1.2"
    with pytest.raises(DefectError, match="no step"):
        order.step(TaskId(step))


def test_one_last_step_is_the_result_as_it_is():
    results = {TaskId("order.1.1"): "earlier", TaskId("order.1.2"): "earlier", TaskId("order.2.1"): " last \n"}
    assert compose_result(order_after(STARTED, planned(2, 1)), results) == " last \n"


def test_several_last_steps_stand_below_each_other_under_their_titles():
    results = {TaskId("order.1.1"): "one\n", TaskId("order.1.2"): "two"}
    assert compose_result(order_after(STARTED, planned(2)), results) == "## 1.1\n\none\n\n## 1.2\n\ntwo\n"
