"""The life of an order under random steps, failures, doubles, cancellations and replays."""

from datetime import UTC, datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from aicompany.events import Event
from aicompany.failure import Failure
from aicompany.ids import TaskId
from aicompany.messaging.lanes import Lane
from aicompany.plans.decide import NextMove, decide_cancel, decide_due, decide_next, decide_reopen, record_receipt
from aicompany.plans.events import PlanMade
from aicompany.plans.plan import Phase, Plan, PlanSource, Step, StepOutcome
from aicompany.plans.state import Order, StepStatus, fold_order
from aicompany.ports.event_store import AggregateRef, AggregateType, EventRecord
from aicompany.spec.work import PlanningSpec
from aicompany.tasks.events import TaskCancelled, TaskCompleted, TaskFailed, TaskStarted, TaskSubmitted
from aicompany.tasks.state import Task
from aicompany.tasks.task import TaskKind, TaskState
from aicompany.usage import NO_USAGE, Usage

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DEADLINE = NOW + timedelta(hours=1)
FAILURE = Failure(code="model_refused", message="no", permanent=True)


def new_order() -> Order:
    submitted = TaskSubmitted(
        title="t", prompt="p", kind=TaskKind.WRITING, lane=Lane.NORMAL, lane_reason="r", deadline=DEADLINE
    )
    return Order(Task(TaskId("order"), 1, TaskState.SUBMITTED, submitted, NOW))


def plan_of_sizes(sizes: list[int]) -> Plan:
    step = Step(title="s", instruction="i", kind=TaskKind.WRITING)
    return Plan(phases=tuple(Phase(name=f"p{n}", steps=(step,) * size) for n, size in enumerate(sizes)))


class OrderProtocol(RuleBasedStateMachine):
    """Plays the PM: stores what the rules say, and checks what must hold."""

    def __init__(self) -> None:
        super().__init__()
        self.order = new_order()
        self.records = [self._record(self.order.task.submitted)]
        self.cost = 0
        self.policy = PlanningSpec()
        self.at_work: set[TaskId] = set()
        self.being_undone: set[TaskId] = set()
        self.dispatched: list[tuple[TaskId, int]] = []
        self.endings: list[int] = []
        self.delivered: list[int] = []

    @initialize(sizes=st.lists(st.integers(1, 4), min_size=1, max_size=4), parallel=st.integers(1, 4))
    def plan(self, sizes: list[int], parallel: int) -> None:
        self.policy = PlanningSpec(parallel_max=parallel)
        made = PlanMade(plan=plan_of_sizes(sizes), source=PlanSource.MODEL)
        self._store((TaskStarted(worker="w", attempt=1), made))
        self._carry_out(decide_next(self.order, self.policy))

    @precondition(lambda self: self.at_work)
    @rule(data=st.data(), outcome=st.sampled_from([StepOutcome.COMPLETED] * 5 + [StepOutcome.FAILED]))
    def a_step_ends(self, data: st.DataObject, outcome: StepOutcome) -> None:
        step = data.draw(st.sampled_from(sorted(self.at_work)))
        self.at_work.discard(step)
        self._receive(step, self.order.run, outcome)

    @precondition(lambda self: self.being_undone)
    @rule(data=st.data())
    def an_undo_ends(self, data: st.DataObject) -> None:
        step = data.draw(st.sampled_from(sorted(self.being_undone)))
        self.being_undone.discard(step)
        self._receive(step, self.order.run, StepOutcome.UNDONE)

    @precondition(lambda self: self.order.receipts)
    @rule(data=st.data())
    def a_receipt_comes_twice(self, data: st.DataObject) -> None:
        step, run, outcome = data.draw(st.sampled_from(sorted(self.order.receipts)))
        assert record_receipt(self.order, step, run=run, outcome=outcome, usage=NO_USAGE, failure=None) is None

    @rule()
    def asked_again_nothing_happens(self) -> None:
        assert decide_next(self.order, self.policy) == NextMove()

    @rule()
    def cancelled(self) -> None:
        self._carry_out(decide_cancel(self.order, "not wanted"))
        assert decide_cancel(self.order, "not wanted") == NextMove()

    @rule(late=st.booleans())
    def due(self, late: bool) -> None:
        move = decide_due(self.order, DEADLINE + timedelta(seconds=1 if late else -1))
        assert late or move == NextMove()
        self._carry_out(move)

    @precondition(lambda self: self.order.task.state in {TaskState.FAILED, TaskState.CANCELLED})
    @rule()
    def reopened(self) -> None:
        run = self.order.run + 1
        move = decide_reopen(self.order, run, "replayed")
        self._store(move.events)
        assert decide_reopen(self.order, run, "replayed") == NextMove()
        self._carry_out(decide_next(self.order, self.policy))

    @invariant()
    def never_more_at_work_than_allowed(self) -> None:
        assert len(self.at_work) <= self.policy.parallel_max

    @invariant()
    def no_step_is_handed_out_twice_in_a_run(self) -> None:
        assert len(set(self.dispatched)) == len(self.dispatched)

    @invariant()
    def phases_follow_each_other(self) -> None:
        if self.order.plan is None:
            return
        for phase in range(1, len(self.order.plan.phases) + 1):
            statuses = {self.order.status[step] for step in self.order.steps_of(phase)}
            if phase < self.order.phase:
                assert statuses == {StepStatus.COMPLETED}
            if phase > self.order.phase:
                assert statuses == {StepStatus.PENDING}

    @invariant()
    def an_order_ends_once_a_run_and_is_delivered_then(self) -> None:
        assert len(set(self.endings)) == len(self.endings)
        assert self.delivered == self.endings

    @invariant()
    def what_was_stored_is_the_order_as_it_stands(self) -> None:
        assert fold_order(self.order.id, self.records) == self.order

    @invariant()
    def every_receipt_is_paid_once(self) -> None:
        assert self.order.usage.calls == self.cost

    @invariant()
    def something_is_under_way_until_it_ends(self) -> None:
        if self.order.plan is not None and not self.order.ended:
            assert self.at_work or self.being_undone

    def _receive(self, step: TaskId, run: int, outcome: StepOutcome) -> None:
        failure = FAILURE if outcome is StepOutcome.FAILED else None
        receipt = record_receipt(self.order, step, run=run, outcome=outcome, usage=Usage(calls=1), failure=failure)
        if receipt is None:
            # The step was cancelled meanwhile: its end changes nothing.
            assert self.order.rollback is not None or self.order.ended
            return
        self.cost += 1
        self._store((receipt,))
        self._carry_out(decide_next(self.order, self.policy))

    def _carry_out(self, move: NextMove) -> None:
        if move.undo:
            dispatched = set(self.order.steps_of(self.order.phase)) - set(
                self.order.in_status(self.order.phase, StepStatus.PENDING, StepStatus.UNDONE)
            )
            assert set(move.undo) == dispatched
        self._store(move.events)
        if move.completes:
            self._store((TaskCompleted(result="r", usage=NO_USAGE, duration_seconds=1),))
        self.at_work |= set(move.dispatch)
        self.dispatched += [(step, self.order.run) for step in move.dispatch]
        self.at_work -= set(move.cancel)
        self.being_undone |= set(move.undo)
        if move.deliver:
            self.delivered.append(self.order.run)

    def _store(self, events: tuple[Event, ...]) -> None:
        for event in events:
            self.records.append(self._record(event, self.order.task.version + 1))
            self.order = self.order.after(event, version=self.order.task.version + 1, at=NOW)
            if isinstance(event, TaskCompleted | TaskFailed | TaskCancelled):
                self.endings.append(self.order.run)

    @staticmethod
    def _record(event: Event, version: int = 1) -> EventRecord:
        ref = AggregateRef(AggregateType.TASK, "order")
        return EventRecord(version, ref, version, event.event_type, event.to_json(), {}, NOW)


TestOrderProtocol = OrderProtocol.TestCase
TestOrderProtocol.settings = settings(max_examples=300, stateful_step_count=40, deadline=None)
