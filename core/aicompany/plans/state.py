"""An order as it stands: its task, its plan and where every step of it is."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from aicompany.errors import DefectError
from aicompany.events import Event, index_by_type
from aicompany.failure import Failure
from aicompany.ids import TaskId, place_of, step_id_of
from aicompany.plans.events import (
    PhaseCompleted,
    PlanMade,
    ResultDelivered,
    RollbackStarted,
    StepEnded,
    StepsDispatched,
)
from aicompany.plans.plan import Plan, Step, StepOutcome
from aicompany.ports.event_store import EventRecord
from aicompany.tasks.codec import TASK_EVENTS, decode_all
from aicompany.tasks.events import TaskCancelled, TaskCompleted, TaskFailed, TaskReopened, TaskSubmitted
from aicompany.tasks.state import Task
from aicompany.tasks.task import TaskState
from aicompany.usage import NO_USAGE, Usage

PLAN_EVENTS = index_by_type(PlanMade, StepsDispatched, StepEnded, PhaseCompleted, RollbackStarted, ResultDelivered)
ORDER_EVENTS = TASK_EVENTS | PLAN_EVENTS


class StepStatus(StrEnum):
    """Where a step stands in its plan."""

    PENDING = "pending"
    DISPATCHED = "dispatched"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNDONE = "undone"


_STATUS_OF_OUTCOME = {
    StepOutcome.COMPLETED: StepStatus.COMPLETED,
    StepOutcome.FAILED: StepStatus.FAILED,
    StepOutcome.CANCELLED: StepStatus.CANCELLED,
    StepOutcome.UNDONE: StepStatus.UNDONE,
}


@dataclass(frozen=True, slots=True)
class Rollback:
    """A phase being taken back."""

    phase: int
    cause: str
    failure: Failure
    waiting: frozenset[TaskId]
    """Steps whose undo has not been told yet."""


@dataclass(frozen=True, slots=True)
class Order:
    """An order folded over its own events. Phases and steps count from 1."""

    task: Task
    plan: Plan | None = None
    phase: int = 0
    """The phase at work; 0 before the plan."""
    status: Mapping[TaskId, StepStatus] = field(default_factory=dict)
    dispatched_ever: frozenset[TaskId] = frozenset()
    """Steps that exist as tasks."""
    receipts: frozenset[tuple[TaskId, int, StepOutcome]] = frozenset()
    failures: Mapping[TaskId, Failure] = field(default_factory=dict)
    """Why steps failed, by their last receipts."""
    receipts_usage: Usage = NO_USAGE
    """What the steps cost, by their receipts."""
    rollback: Rollback | None = None
    delivered_run: int = 0

    @property
    def id(self) -> TaskId:
        """The order's id."""
        return self.task.id

    @property
    def run(self) -> int:
        """1, and one more with every reopening."""
        return self.task.run

    @property
    def ended(self) -> bool:
        """Whether it completed, failed or was cancelled."""
        return self.task.state.ended

    @property
    def usage(self) -> Usage:
        """What planning and all steps cost."""
        return self.task.usage + self.receipts_usage

    def steps_of(self, phase: int) -> tuple[TaskId, ...]:
        """The ids of a phase's steps, in order."""
        if self.plan is None:
            return ()
        return tuple(step_id_of(self.id, phase, n + 1) for n in range(len(self.plan.phases[phase - 1].steps)))

    def step(self, step_id: TaskId) -> Step:
        """A step of the plan by its id. Raises `DefectError` for one that is not in it."""
        if self.plan is None or step_id not in self.status:
            raise DefectError(f"order {self.id} has no step {step_id}")
        phase, number = place_of(step_id)
        return self.plan.phases[phase - 1].steps[number - 1]

    def in_status(self, phase: int, *wanted: StepStatus) -> tuple[TaskId, ...]:
        """The steps of a phase that stand so, in order."""
        return tuple(step for step in self.steps_of(phase) if self.status[step] in wanted)

    def after(self, event: Event, *, version: int, at: datetime) -> "Order":
        """The order after one more event of its stream. Raises `DefectError` when it cannot happen now."""
        if event.event_type in TASK_EVENTS:
            order = replace(self, task=self.task.after(event, version=version, at=at))
        else:
            order = replace(self, task=replace(self.task, version=version))
        match event:
            case PlanMade(plan=plan):
                return order._with_plan(plan)
            case StepsDispatched(steps=steps):
                ids = tuple(TaskId(step) for step in steps)
                order = order._with_status(ids, StepStatus.DISPATCHED)
                return replace(order, dispatched_ever=self.dispatched_ever | frozenset(ids))
            case StepEnded():
                return order._with_receipt(event)
            case PhaseCompleted(phase=phase):
                return replace(order, phase=phase + 1)
            case RollbackStarted():
                return order._with_rollback(event)
            case TaskReopened():
                return order._reopened()
            case TaskCompleted() | TaskFailed() | TaskCancelled():
                return replace(order, rollback=None)
            case ResultDelivered(run=run):
                return replace(order, delivered_run=run)
            case _:
                return order

    def _with_plan(self, plan: Plan) -> "Order":
        if self.plan is not None:
            raise DefectError(f"order {self.id} has a plan already")
        order = replace(self, plan=plan, phase=1)
        every_step = [step for phase in range(1, len(plan.phases) + 1) for step in order.steps_of(phase)]
        return replace(order, status=dict.fromkeys(every_step, StepStatus.PENDING))

    def _with_status(self, steps: Iterable[TaskId], status: StepStatus) -> "Order":
        return replace(self, status={**self.status, **dict.fromkeys(steps, status)})

    def _with_receipt(self, receipt: StepEnded) -> "Order":
        step = TaskId(receipt.step)
        order = self._with_status((step,), _STATUS_OF_OUTCOME[receipt.outcome])
        rollback = order.rollback
        if rollback and receipt.outcome is StepOutcome.UNDONE:
            rollback = replace(rollback, waiting=rollback.waiting - {step})
        seen = order.receipts | {(step, receipt.run, receipt.outcome)}
        failures = {**order.failures, step: receipt.failure} if receipt.failure else order.failures
        return replace(
            order,
            receipts=seen,
            failures=failures,
            receipts_usage=order.receipts_usage + receipt.usage,
            rollback=rollback,
        )

    def _with_rollback(self, started: RollbackStarted) -> "Order":
        steps = frozenset(TaskId(step) for step in started.steps)
        running = self.in_status(started.phase, StepStatus.DISPATCHED)
        order = self._with_status(running, StepStatus.CANCELLED)
        return replace(order, rollback=Rollback(started.phase, started.cause, started.failure, steps))

    def _reopened(self) -> "Order":
        if self.plan is None:
            return self
        again = self.in_status(self.phase, StepStatus.FAILED, StepStatus.CANCELLED, StepStatus.UNDONE)
        return self._with_status(again, StepStatus.PENDING)


def fold_order(order_id: TaskId, records: Iterable[EventRecord]) -> Order | None:
    """The order after the records of its own stream; `None` when there are none."""
    order: Order | None = None
    for record, event in decode_all(records, ORDER_EVENTS):
        if order is None:
            if not isinstance(event, TaskSubmitted):
                raise DefectError(f"the history of order {order_id} begins with {event.event_type}")
            order = Order(Task(order_id, record.version, TaskState.SUBMITTED, event, record.timestamp))
        else:
            order = order.after(event, version=record.version, at=record.timestamp)
    return order
