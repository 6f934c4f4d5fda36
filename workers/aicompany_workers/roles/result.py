"""The result worker: keeps what an order brought and tells its requester; tells of dead letters."""

import asyncio
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import structlog

from aicompany.errors import DefectError
from aicompany.ids import TaskId
from aicompany.messaging.envelope import Envelope, Purpose
from aicompany.plans.events import ResultDelivered
from aicompany.plans.picture import OrderPicture
from aicompany.ports.event_store import AggregateType, Measurement
from aicompany.ports.notifier import Notice, NoticeKind, Notifier
from aicompany.tasks.state import Task
from aicompany.tasks.task import TaskState
from aicompany_workers.roles.orders import Orders
from aicompany_workers.runtime.effects import NO_EFFECTS, Effects, append_to
from aicompany_workers.runtime.role import Message
from aicompany_workers.tools.workspace import Workspaces

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class ResultRole:
    """Keeps and delivers. Doing it twice leaves what doing it once leaves."""

    orders: Orders
    notifier: Notifier
    workspaces: Workspaces
    results: Path
    name: str = "result"

    async def process_message(self, message: Message) -> Effects:
        """Deliver an ended order, or tell of a dead letter."""
        match message.envelope.purpose:
            case Purpose.DELIVER_RESULT:
                return await self._deliver(message)
            case Purpose.TELL_BURIAL:
                await self.notifier.notify(_notice_of_burial(message.envelope))
                return NO_EFFECTS
            case purpose:
                raise DefectError(f"a {purpose.value} message is not for the result worker")

    async def _deliver(self, message: Message) -> Effects:
        picture = await self.orders.picture(message.envelope.task_id)
        order = picture.order
        run = message.envelope.run
        if not order.ended or order.delivered_run >= run or order.run != run:
            return NO_EFFECTS
        if order.task.state is TaskState.COMPLETED and any(step.files for step in picture.steps.values()):
            files = await self.orders.files(order.id)
            await asyncio.to_thread(self.workspaces.of(TaskId(order.id)).restore, files)
        kept_at = await asyncio.to_thread(self._keep, picture)
        reference = await self.notifier.notify(_notice_of(order.task, run, kept_at))
        delivered = ResultDelivered(notifier=self.notifier.name, reference=reference, kept_at=str(kept_at), run=run)
        log.info("order.delivered", state=order.task.state.value, kept_at=str(kept_at))
        return Effects(
            (append_to(AggregateType.TASK, order.id, order.task.version, [delivered]),),
            measurements=_statistics_of(picture),
        )

    def _keep(self, picture: OrderPicture) -> Path:
        """Write the result, and beside it the files that were made; replaces what an earlier try left.

        One file for most orders: making files is the dearest thing that is done for an order.
        """
        task = picture.order.task
        made = self.workspaces.of(TaskId(task.id)).files_directory
        if task.state is TaskState.COMPLETED and made.is_dir():
            shutil.copytree(made, self.results / f"{task.id}.files", dirs_exist_ok=True)
        final = self.results / f"{task.id}.md"
        part = self.results / f".{task.id}.part"
        try:
            part.write_text(_text_of(task), encoding="utf-8")
        except FileNotFoundError:
            self.results.mkdir(parents=True, exist_ok=True)
            part.write_text(_text_of(task), encoding="utf-8")
        os.replace(part, final)  # noqa: PTH105 - the documented atomic rename
        return final


def _text_of(task: Task) -> str:
    if task.result is not None:
        return task.result if task.result.endswith("\n") else task.result + "\n"
    why = task.failure.message if task.failure else "it was cancelled"
    return f"This order was not carried out: {why}\n"


def _notice_of(task: Task, run: int, kept_at: Path) -> Notice:
    completed = task.state is TaskState.COMPLETED
    return Notice(
        id=f"{task.id}:{run}",
        kind=NoticeKind.RESULT if completed else NoticeKind.FAILURE,
        task_id=task.id,
        title=task.submitted.title,
        text="completed" if completed else _text_of(task).strip(),
        reference=str(kept_at),
    )


def _notice_of_burial(envelope: Envelope) -> Notice:
    letter, code, why = (str(envelope.details[name]) for name in ("letter", "code", "why"))
    return Notice(
        id=f"dead:{letter}",
        kind=NoticeKind.DEAD_LETTER,
        task_id=envelope.task_id,
        title=f"dead letter {letter}",
        text=f"{why} ({code}); `aicompany dead show {letter}` tells more, `aicompany dead replay` sends it again",
    )


def _statistics_of(picture: OrderPicture) -> tuple[Measurement, ...]:
    task = picture.order.task
    labels = {"kind": task.submitted.kind.value, "state": task.state.value}
    ended_at = task.ended_at or task.submitted_at
    return (
        Measurement("order_duration", (ended_at - task.submitted_at).total_seconds(), "seconds", labels),
        Measurement("order_tokens", picture.order.usage.tokens, "tokens", labels),
        Measurement("order_cost", float(picture.order.usage.cost_usd), "usd", labels),
        Measurement("order_steps", len(picture.steps), "steps", labels),
    )
