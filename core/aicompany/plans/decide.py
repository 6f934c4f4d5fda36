"""What an order needs next: one rule, asked after every event and safe to be asked again.

submitted ──plan──► phase 1 ──all completed──► checkpoint ──► phase 2 … ──► completed
                       │ a step failed, cancelled by the user, or the deadline passed
                       ▼
                    rollback: running steps cancelled, every dispatched step of the phase undone
                       │ all undone
                       ▼
                    failed or cancelled ──reopened──► the same phase again
"""

from dataclasses import dataclass
from datetime import datetime

from aicompany.errors import DeadlinePassed, NotPossible
from aicompany.events import Event
from aicompany.failure import Failure
from aicompany.ids import TaskId
from aicompany.plans.events import PhaseCompleted, RollbackStarted, StepEnded, StepsDispatched
from aicompany.plans.plan import StepOutcome
from aicompany.plans.state import Order, StepStatus
from aicompany.spec.work import PlanningSpec
from aicompany.tasks.events import TaskCancelled, TaskFailed, TaskReopened
from aicompany.tasks.task import TaskState
from aicompany.usage import Usage

FAILED, CANCELLED, DEADLINE = "failed", "cancelled", "deadline"
"""Causes of a rollback."""


@dataclass(frozen=True, slots=True)
class NextMove:
    """What to store and to send. All empty: there is nothing to do until something ends."""

    events: tuple[Event, ...] = ()
    """For the order's own stream, in order."""
    dispatch: tuple[TaskId, ...] = ()
    """Steps to hand out."""
    cancel: tuple[TaskId, ...] = ()
    """Steps at work that are not wanted any more."""
    undo: tuple[TaskId, ...] = ()
    """Steps to take back."""
    completes: bool = False
    """All phases are done: the order is to be completed with the composed result."""
    deliver: bool = False
    """The order ends by this move, so its requester is to be told."""
    plan_again: bool = False
    """The order was reopened before it had a plan."""


NOTHING = NextMove()


def decide_next(order: Order, policy: PlanningSpec) -> NextMove:
    """The move that the order's state calls for."""
    if order.ended or order.plan is None:
        return NOTHING
    if order.rollback is not None:
        return NOTHING if order.rollback.waiting else _end_of_rollback(order)
    failed = order.in_status(order.phase, StepStatus.FAILED)
    if failed:
        return start_rollback(order, FAILED, _failure_of_step(order, failed[0]))
    return _advance(order, policy)


def _failure_of_step(order: Order, step: TaskId) -> Failure:
    cause = order.failures[step]
    message = f"step {step} ({order.step(step).title}) failed: {cause.message}"
    return Failure(code=cause.code, message=message, permanent=cause.permanent)


def _advance(order: Order, policy: PlanningSpec) -> NextMove:
    steps = order.steps_of(order.phase)
    if len(order.in_status(order.phase, StepStatus.COMPLETED)) < len(steps):
        return _dispatch(order, order.phase, policy)
    checkpoint = PhaseCompleted(phase=order.phase)
    if order.plan is None or order.phase == len(order.plan.phases):
        return NextMove(events=(checkpoint,), completes=True, deliver=True)
    following = _dispatch(order, order.phase + 1, policy)
    return NextMove(events=(checkpoint, *following.events), dispatch=following.dispatch)


def _dispatch(order: Order, phase: int, policy: PlanningSpec) -> NextMove:
    free = policy.parallel_max - len(order.in_status(phase, StepStatus.DISPATCHED))
    steps = order.in_status(phase, StepStatus.PENDING)[: max(0, free)]
    if not steps:
        return NOTHING
    return NextMove(events=(StepsDispatched(phase=phase, steps=steps, run=order.run),), dispatch=steps)


def start_rollback(order: Order, cause: str, failure: Failure) -> NextMove:
    """Cancel what runs in the phase at work and take back everything that was handed out in it."""
    touched = order.in_status(
        order.phase, StepStatus.DISPATCHED, StepStatus.COMPLETED, StepStatus.FAILED, StepStatus.CANCELLED
    )
    started = RollbackStarted(phase=order.phase, steps=touched, cause=cause, failure=failure)
    if not touched:
        return NextMove(events=(started, _ending(cause, failure)), deliver=True)
    running = order.in_status(order.phase, StepStatus.DISPATCHED)
    return NextMove(events=(started,), cancel=running, undo=touched)


def _end_of_rollback(order: Order) -> NextMove:
    rollback = order.rollback
    if rollback is None:
        return NOTHING
    return NextMove(events=(_ending(rollback.cause, rollback.failure),), deliver=True)


def _ending(cause: str, failure: Failure) -> Event:
    return TaskCancelled(reason=failure.message) if cause == CANCELLED else TaskFailed(failure=failure)


def decide_cancel(order: Order, reason: str) -> NextMove:
    """The requester does not want it any more. Nothing when it ends or has ended anyway."""
    if order.ended or order.rollback is not None:
        return NOTHING
    failure = Failure(code="cancelled", message=reason, permanent=True)
    if order.plan is None:
        return NextMove(events=(TaskCancelled(reason=reason),), deliver=True)
    return start_rollback(order, CANCELLED, failure)


def decide_due(order: Order, now: datetime) -> NextMove:
    """The deadline: nothing when there is none, when it is not yet, or when the order has ended.

    Who reopens an order after its deadline wants it all the same, so then there is none any more.
    """
    deadline, reopened_at = order.task.submitted.deadline, order.task.reopened_at
    if order.ended or order.rollback is not None or deadline is None or now < deadline:
        return NOTHING
    if reopened_at is not None and reopened_at >= deadline:
        return NOTHING
    message = f"it was not done by its deadline, {deadline.isoformat(timespec='seconds')}"
    failure = Failure(code=DeadlinePassed.code, message=message, permanent=True)
    if order.plan is None:
        return NextMove(events=(TaskFailed(failure=failure),), deliver=True)
    return start_rollback(order, DEADLINE, failure)


def decide_reopen(order: Order, run: int, reason: str) -> NextMove:
    """Carry on from the phase that failed, as run number `run`; nothing when that run has begun already.

    Raises `NotPossible` for an order that has not failed. Ask `decide_next` once the event is applied.
    """
    if run <= order.run:
        return NOTHING
    if order.task.state not in {TaskState.FAILED, TaskState.CANCELLED}:
        raise NotPossible(f"order {order.id} is {order.task.state.value}; only one that failed can be run again")
    return NextMove(events=(TaskReopened(run=run, reason=reason),), plan_again=order.plan is None)


def record_receipt(
    order: Order, step: TaskId, *, run: int, outcome: StepOutcome, usage: Usage, failure: Failure | None
) -> StepEnded | None:
    """The receipt to append; `None` when the order has it already or the step's run is not this one."""
    if (step, run, outcome) in order.receipts or run != order.run or step not in order.dispatched_ever:
        return None
    if outcome is not StepOutcome.UNDONE and order.status[step] is not StepStatus.DISPATCHED:
        return None
    return StepEnded(step=step, run=run, outcome=outcome, usage=usage, failure=failure)
