"""The task worker: carries a step out with the model and tools, or takes one back."""

import asyncio
from dataclasses import dataclass
from time import perf_counter

import structlog

from aicompany.errors import AnswerInvalid, DefectError
from aicompany.events import Event
from aicompany.ids import TaskId, place_of
from aicompany.messaging.envelope import Purpose
from aicompany.plans.picture import OrderPicture
from aicompany.ports.clock import Clock
from aicompany.ports.event_store import AggregateType, Measurement
from aicompany.ports.model import Model, ModelRequest
from aicompany.spec.company import CompanySpec
from aicompany.tasks.answer import CallTools, Finished, Rejected, judge_answer
from aicompany.tasks.complexity import complexity_of
from aicompany.tasks.dialogue import step_messages
from aicompany.tasks.events import ModelAnswered, TaskCompleted, TaskStarted, TaskUndone
from aicompany.tasks.state import Task
from aicompany.usage import NO_USAGE, Usage
from aicompany_workers.roles.orders import Orders, refuse_copy
from aicompany_workers.runtime.effects import Effects, append_to, outgoing_of
from aicompany_workers.runtime.envelopes import receipt_of
from aicompany_workers.runtime.overload import Overload
from aicompany_workers.runtime.role import Message
from aicompany_workers.tools.registry import tool_specs, use_tools
from aicompany_workers.tools.workspace import PathRefused, Workspace, Workspaces

_SYSTEM = (
    "You carry out one step of an order. Answer with the step's result itself, complete and ready to be used; "
    "no preamble. Files that the order asks for are written with write_file. Say plainly what could not be done."
)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class TaskRole:
    """Carries steps out. What has been answered and used is stored before anything follows from it."""

    orders: Orders
    model: Model
    spec: CompanySpec
    workspaces: Workspaces
    clock: Clock
    overload: Overload
    name: str = "task"

    async def process_message(self, message: Message) -> Effects:
        """Run or undo a step."""
        picture = await self.orders.picture(message.envelope.task_id)
        step = picture.steps.get(TaskId(message.envelope.task_id))
        if step is None:
            raise DefectError(f"step {message.envelope.task_id} does not exist")
        if message.envelope.purpose is Purpose.UNDO_STEP:
            return await self._undo(step, message)
        return await self._run(step, picture, message)

    async def _run(self, step: Task, picture: OrderPicture, message: Message) -> Effects:
        envelope = message.envelope
        refuse_copy(step, message)
        started = TaskStarted(worker=message.worker, attempt=envelope.attempt, run=envelope.run)
        step = await self.orders.record(step, [started], message)
        began = perf_counter()
        step, last, text = await self._work(step, picture, message)
        return self._completion(step, last, text, perf_counter() - began, message)

    async def _work(self, step: Task, picture: OrderPicture, message: Message) -> tuple[Task, tuple[Event, ...], str]:
        """Ask and use tools until there is a result: the step, events not stored yet, and the result."""
        last: tuple[Event, ...] = ()
        while True:
            answered = step.answers[-1] if step.answers else None
            match judge_answer(answered.answer) if answered else None:
                case Finished(text=text):
                    return step, last, text
                case Rejected(error=error):
                    raise error
                case CallTools(uses=uses) if answered and not _tools_were_used(step, answered):
                    workspace = await self._workspace(step)
                    used = await asyncio.to_thread(use_tools, answered.call, step.run, uses, workspace, step.id)
                    step = await self.orders.record(step, [used], message)
                case _:
                    answered = await self._ask(step, picture)
                    if isinstance(judge_answer(answered.answer), Finished):
                        # Nothing happens between this answer and the end, so both are one commit.
                        last = (answered,)
                        step = step.after(answered, version=step.version, at=self.clock.now())
                    else:
                        step = await self.orders.record(step, [answered], message)

    async def _workspace(self, step: Task) -> Workspace:
        """The order's workspace as the events tell it: the steps before may have run on another machine."""
        workspace = self.workspaces.of(step.id)
        files = await self.orders.files(step.id)
        await asyncio.to_thread(workspace.restore, files, spare=step.id)
        return workspace

    async def _ask(self, step: Task, picture: OrderPicture) -> ModelAnswered:
        call = len(step.answers) + 1
        if call > self.spec.model.tool_rounds_max:
            raise AnswerInvalid(
                f"no result after {self.spec.model.tool_rounds_max} model calls; ask for less at a time, "
                "or raise spec.model.toolRoundsMax"
            )
        began = perf_counter()
        answer = await self.model.answer(self._request(step, picture))
        return ModelAnswered(call=call, run=step.run, answer=answer, duration_seconds=round(perf_counter() - began, 4))

    def _request(self, step: Task, picture: OrderPicture) -> ModelRequest:
        agent = self.spec.agent(step.submitted.agent or "")
        order = picture.order.task.submitted
        phase, _ = place_of(step.id)
        messages = step_messages(
            step,
            order_prompt=order.prompt,
            attachments=order.attachments,
            earlier=picture.earlier_results(phase),
        )
        return ModelRequest(
            model=self.overload.model_for(agent.model or self.spec.model.name),
            system=f"{agent.instructions}\n\n{_SYSTEM}".strip(),
            messages=messages,
            tools=tool_specs(),
            max_tokens=self.spec.model.max_tokens,
            timeout_seconds=self.spec.model.timeout_seconds,
            anew=step.run > 1,
        )

    def _completion(
        self, step: Task, last: tuple[Event, ...], text: str, duration_seconds: float, message: Message
    ) -> Effects:
        usage = usage_of_run(step)
        completed = TaskCompleted(
            result=text,
            files=step.files,
            usage=usage,
            duration_seconds=round(duration_seconds, 4),
            offline=self.model.is_offline,
            cached=any(answered.answer.cached for answered in step.answers),
        )
        log.info(
            "step.completed", duration=round(duration_seconds, 4), files_created=list(step.files),
            tokens_used=usage.tokens,
        )  # fmt: skip
        return Effects(
            (append_to(AggregateType.TASK, step.id, step.version, (*last, completed)),),
            (outgoing_of(receipt_of(message.envelope, "ended")),),
            self._measurements(step, duration_seconds),
        )

    def _measurements(self, step: Task, duration_seconds: float) -> tuple[Measurement, ...]:
        labels = {"agent": step.submitted.agent or "", "kind": step.submitted.kind.value}
        complexity = complexity_of(
            characters=len(step.submitted.prompt), kind=step.submitted.kind, work_seconds=duration_seconds
        )
        return (
            Measurement("step_duration", duration_seconds, "seconds", labels),
            Measurement("step_complexity", complexity, "score", labels),
        )

    async def _undo(self, step: Task, message: Message) -> Effects:
        workspace = self.workspaces.of(step.id)
        files = await self.orders.files(step.id)
        try:
            await asyncio.to_thread(workspace.recall, files, step.id)
            removed, restored = await asyncio.to_thread(workspace.undo, step.id)
            undone = TaskUndone(files_removed=removed, files_restored=restored)
        except (OSError, PathRefused) as error:
            # A file that cannot be taken back must not keep the order from ending; it is said where people look.
            undone = TaskUndone(problem=f"its files could not be taken back: {type(error).__name__}")
            log.warning("step.undo_incomplete", reason=str(error))
        return Effects(
            (append_to(AggregateType.TASK, step.id, step.version, [undone]),),
            (outgoing_of(receipt_of(message.envelope, "undone")),),
        )


def usage_of_run(task: Task) -> Usage:
    """What the model calls of the task's present run cost."""
    return sum((answered.answer.usage for answered in task.answers), start=NO_USAGE)


def _tools_were_used(step: Task, answered: ModelAnswered) -> bool:
    return any(used.call == answered.call for used in step.tools_used)
