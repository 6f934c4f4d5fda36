"""The PM: makes a plan of an order and sees it through. All its rules are core's; here they are carried out."""

from collections.abc import Iterable
from dataclasses import dataclass
from time import perf_counter

import structlog

from aicompany.agents.assign import assign_step
from aicompany.errors import AnswerInvalid, DefectError, VersionConflict
from aicompany.events import Event
from aicompany.ids import TaskId, message_id_of
from aicompany.messaging.envelope import Envelope, Purpose
from aicompany.messaging.lanes import Lane
from aicompany.plans.decide import NextMove, decide_cancel, decide_due, decide_next, decide_reopen, record_receipt
from aicompany.plans.events import PlanMade
from aicompany.plans.picture import OrderPicture
from aicompany.plans.plan import Plan, PlanSource, StepOutcome
from aicompany.plans.proposal import PlanProposal, plan_of, plan_without_model, planning_messages, planning_system
from aicompany.plans.result import compose_result
from aicompany.plans.state import Order
from aicompany.ports.clock import Clock
from aicompany.ports.event_store import AggregateType, Append
from aicompany.ports.model import Model, ModelRequest
from aicompany.spec.company import CompanySpec
from aicompany.tasks.answer import Finished, Rejected, judge_answer
from aicompany.tasks.events import (
    ModelAnswered,
    TaskCancelled,
    TaskCompleted,
    TaskReopened,
    TaskStarted,
    TaskSubmitted,
)
from aicompany.tasks.priority import raised_by_age
from aicompany.tasks.state import Task
from aicompany.tasks.task import TaskState
from aicompany.usage import NO_USAGE
from aicompany_workers.roles.orders import Orders, refuse_copy
from aicompany_workers.roles.task import usage_of_run
from aicompany_workers.runtime.effects import NO_EFFECTS, Effects, append_to, outgoing_of
from aicompany_workers.runtime.envelopes import delivery_of, step_envelope
from aicompany_workers.runtime.role import Message

_PROPOSALS_MAX = 2
"""A proposal that cannot be used is sent back once with what is wrong."""

_PLAN_SCHEMA = PlanProposal.model_json_schema()

_OUTCOME_OF_STATE = {
    TaskState.COMPLETED: StepOutcome.COMPLETED,
    TaskState.FAILED: StepOutcome.FAILED,
    TaskState.CANCELLED: StepOutcome.CANCELLED,
    TaskState.UNDONE: StepOutcome.UNDONE,
}

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class PMRole:
    """Plans orders, hands steps out, collects receipts, ends orders."""

    orders: Orders
    model: Model
    spec: CompanySpec
    clock: Clock
    name: str = "pm"

    async def process_message(self, message: Message) -> Effects:
        """One of the PM's purposes."""
        envelope = message.envelope
        picture = await self.orders.picture(envelope.task_id)
        order = picture.order
        match envelope.purpose:
            case Purpose.PLAN_ORDER:
                return await self._plan(picture, message)
            case Purpose.STEP_ENDED:
                return self._step_ended(picture, envelope)
            case Purpose.CANCEL_ORDER:
                reason = str(envelope.details.get("reason", "its requester cancelled it"))
                return self._carry_out(picture, (), decide_cancel(order, reason), envelope)
            case Purpose.ORDER_DUE:
                return self._carry_out(picture, (), decide_due(order, self.clock.now()), envelope)
            case Purpose.REOPEN_ORDER:
                return self._reopen(picture, envelope)
            case _:
                raise DefectError(f"a {envelope.purpose.value} message is not for the PM")

    async def _plan(self, picture: OrderPicture, message: Message) -> Effects:
        order = picture.order
        if order.plan is not None:
            return NO_EFFECTS
        refuse_copy(order.task, message)
        started = TaskStarted(worker=message.worker, attempt=message.envelope.attempt, run=order.run)
        plain = plan_without_model(order.task.submitted, self.spec.planning)
        if plain is not None:
            return self._begin(picture, (started,), *plain, message.envelope)
        task = await self.orders.record(order.task, [started], message)
        plan, task = await self._ask_for_plan(task, message)
        picture = await self.orders.picture(order.id)
        if picture.order.task.version != task.version:
            # Cancelled meanwhile, or the deadline passed: decide from the beginning.
            raise VersionConflict(f"order {order.id} changed while it was planned")
        return self._begin(picture, (), plan, PlanSource.MODEL, message.envelope)

    async def _ask_for_plan(self, task: Task, message: Message) -> tuple[Plan, Task]:
        """A plan out of the stored answers, or out of new ones, each stored before it is judged."""
        while True:
            rejected: list[tuple[str, str]] = []
            for answered in task.answers:
                match judge_answer(answered.answer):
                    case Rejected(error=error):
                        raise error
                    case Finished(text=text):
                        try:
                            return plan_of(text, self.spec.planning), task
                        except AnswerInvalid as error:
                            rejected.append((text, error.message))
                    case _:
                        rejected.append((answered.answer.text or "(nothing)", "it is not a plan"))
            if len(rejected) >= _PROPOSALS_MAX:
                raise AnswerInvalid(f"no usable plan after {_PROPOSALS_MAX} proposals: {rejected[-1][1]}")
            answered = await self._ask(task, rejected)
            task = await self.orders.record(task, [answered], message)

    async def _ask(self, task: Task, rejected: list[tuple[str, str]]) -> ModelAnswered:
        request = ModelRequest(
            model=self.spec.model.name,
            system=planning_system(self.spec.agents, self.spec.planning),
            messages=planning_messages(task.submitted, rejected),
            max_tokens=self.spec.model.max_tokens,
            output_schema=_PLAN_SCHEMA,
            timeout_seconds=self.spec.model.timeout_seconds,
            anew=task.run > 1,
        )
        began = perf_counter()
        answer = await self.model.answer(request)
        call = len(task.answers) + 1
        return ModelAnswered(call=call, run=task.run, answer=answer, duration_seconds=round(perf_counter() - began, 4))

    def _begin(
        self, picture: OrderPicture, before: tuple[Event, ...], plan: Plan, source: PlanSource, cause: Envelope
    ) -> Effects:
        made = PlanMade(plan=self._assigned(plan), source=source)
        events = (*before, made)
        order = self._after(picture.order, events)
        log.info("order.planned", phases=len(plan.phases), steps=plan.step_count, source=source.value)
        return self._carry_out(picture, events, decide_next(order, self.spec.planning), cause)

    def _assigned(self, plan: Plan) -> Plan:
        phases = tuple(
            phase.model_copy(
                update={
                    "steps": tuple(
                        step.model_copy(update={"agent": assign_step(step, self.spec.agents).agent})
                        for step in phase.steps
                    )
                }
            )
            for phase in plan.phases
        )
        return Plan(phases=phases)

    def _step_ended(self, picture: OrderPicture, envelope: Envelope) -> Effects:
        step_id = TaskId(envelope.task_id)
        task = picture.steps[step_id]
        outcome = _OUTCOME_OF_STATE.get(task.state)
        if outcome is None:
            # It was reopened since: its new run sends a message of its own.
            return NO_EFFECTS
        undone = outcome is StepOutcome.UNDONE
        # What a cancelled step cost before it was stopped stands on the receipt of its undo.
        counted = any(step == step_id and run == envelope.run for step, run, _ in picture.order.receipts)
        receipt = record_receipt(
            picture.order,
            step_id,
            run=envelope.run,
            outcome=outcome,
            usage=NO_USAGE if counted else usage_of_run(task),
            failure=None if undone else task.failure,
        )
        if receipt is None:
            return NO_EFFECTS
        order = self._after(picture.order, (receipt,))
        return self._carry_out(picture, (receipt,), decide_next(order, self.spec.planning), envelope)

    def _reopen(self, picture: OrderPicture, envelope: Envelope) -> Effects:
        move = decide_reopen(picture.order, envelope.run, "a dead letter was replayed")
        if not move.events:
            return NO_EFFECTS
        if move.plan_again:
            planning = Envelope(
                id=message_id_of(Purpose.PLAN_ORDER, picture.order.id, envelope.run),
                purpose=Purpose.PLAN_ORDER,
                task_id=picture.order.id,
                lane=envelope.lane,
                run=envelope.run,
                trace_id=envelope.trace_id,
            )
            append = append_to(AggregateType.TASK, picture.order.id, picture.order.task.version, move.events)
            return Effects((append,), (outgoing_of(planning),))
        events = (*move.events, TaskStarted(worker="pm", attempt=1, run=envelope.run))
        order = self._after(picture.order, events)
        return self._carry_out(picture, events, decide_next(order, self.spec.planning), envelope)

    def _carry_out(self, picture: OrderPicture, before: tuple[Event, ...], move: NextMove, cause: Envelope) -> Effects:
        """Everything a move asks for, as one change. `before` are the events that led to it."""
        order = picture.order
        events = (*before, *move.events)
        if move.completes:
            events = (*events, self._completed(picture, self._after(order, events), cause))
        if not events:
            return NO_EFFECTS
        appends = [append_to(AggregateType.TASK, order.id, order.task.version, events)]
        after = self._after(order, events)
        run = after.run
        lane, lane_reason = self._lane_of_steps(after)
        appends += [self._dispatch(picture, after, step, lane, lane_reason) for step in move.dispatch]
        appends += self._cancellations(picture, move)
        outgoing = [
            outgoing_of(step_envelope(purpose, step, self._agent_of(after, step), cause, lane=lane, run=run))
            for purpose, steps in ((Purpose.RUN_STEP, move.dispatch), (Purpose.UNDO_STEP, move.undo))
            for step in steps
        ]
        if move.deliver:
            outgoing.append(outgoing_of(delivery_of(order.id, cause, run=run)))
            log.info("order.ended", state=after.task.state.value)
        return Effects(tuple(appends), tuple(outgoing))

    def _lane_of_steps(self, order: Order) -> tuple[Lane, str]:
        """The order's lane, raised when the order has waited long and its requester did not choose the lane."""
        submitted = order.task.submitted
        if submitted.lane_is_wish:
            return submitted.lane, "the order's lane, which its requester asked for"
        age_seconds = (self.clock.now() - order.task.submitted_at).total_seconds()
        return raised_by_age(submitted.lane, "the order's lane", age_seconds)

    def _agent_of(self, order: Order, step: TaskId) -> str:
        return order.step(step).agent or self.spec.fallback_agent.name

    def _dispatch(self, picture: OrderPicture, order: Order, step_id: TaskId, lane: Lane, lane_reason: str) -> Append:
        step = order.step(step_id)
        existing = picture.steps.get(step_id)
        if existing is not None:
            again = TaskReopened(run=order.run, reason="its order runs again")
            return append_to(AggregateType.TASK, step_id, existing.version, [again])
        submitted = TaskSubmitted(
            title=step.title,
            prompt=step.instruction,
            kind=step.kind,
            lane=lane,
            lane_reason=lane_reason,
            parent_id=order.id,
            agent=self._agent_of(order, step_id),
        )
        return append_to(AggregateType.TASK, step_id, 0, [submitted])

    @staticmethod
    def _cancellations(picture: OrderPicture, move: NextMove) -> Iterable[Append]:
        for step in move.cancel:
            task = picture.steps[step]
            if not task.state.ended:
                stop = TaskCancelled(reason="its phase is taken back")
                yield append_to(AggregateType.TASK, step, task.version, [stop])

    def _completed(self, picture: OrderPicture, order: Order, cause: Envelope) -> TaskCompleted:
        started_at = order.task.submitted_at
        log.info("order.completed", trace_id=cause.trace_id)
        return TaskCompleted(
            result=compose_result(order, picture.results()),
            files=picture.files(),
            usage=order.usage,
            duration_seconds=round((self.clock.now() - started_at).total_seconds(), 4),
            offline=any(task.offline for task in picture.steps.values()),
            cached=any(task.cached for task in picture.steps.values()),
        )

    def _after(self, order: Order, events: Iterable[Event]) -> Order:
        now = self.clock.now()
        for event in events:
            order = order.after(event, version=order.task.version + 1, at=now)
        return order
