"""An order with all its steps, as one reading of the store shows them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from aicompany.ids import TaskId
from aicompany.plans.state import Order, StepStatus, fold_order
from aicompany.ports.event_store import EventRecord
from aicompany.tasks.dialogue import EarlierResult
from aicompany.tasks.state import Task, fold_task


@dataclass(frozen=True, slots=True)
class OrderPicture:
    """The order and the tasks of its steps."""

    order: Order
    steps: Mapping[TaskId, Task]

    def earlier_results(self, phase: int) -> tuple[EarlierResult, ...]:
        """What the phases before `phase` (from 1) brought, in plan order."""
        ids = [step for earlier in range(1, phase) for step in self.order.steps_of(earlier)]
        return tuple(
            EarlierResult(self.order.step(step).title, self.steps[step].result or "")
            for step in ids
            if self.order.status[step] is StepStatus.COMPLETED
        )

    def results(self) -> dict[TaskId, str]:
        """The results of all completed steps."""
        return {step: task.result for step, task in self.steps.items() if task.result is not None}

    def files(self) -> tuple[str, ...]:
        """Files made by steps that were not undone, each once."""
        made = (name for step, task in sorted(self.steps.items()) if task.result is not None for name in task.files)
        return tuple(dict.fromkeys(made))


def picture_of(order_id: TaskId, records: Iterable[EventRecord]) -> OrderPicture | None:
    """The picture from the records of an order and its steps, in any mixture but each aggregate's in order."""
    by_task: dict[str, list[EventRecord]] = defaultdict(list)
    for record in records:
        by_task[record.aggregate.id].append(record)
    order = fold_order(order_id, by_task.pop(order_id, []))
    if order is None:
        return None
    folded = ((TaskId(task_id), fold_task(TaskId(task_id), records)) for task_id, records in by_task.items())
    return OrderPicture(order, {task_id: task for task_id, task in folded if task is not None})
