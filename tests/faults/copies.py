"""Messages of the company as they went over the wire, rebuilt from what the store says of them.

A copy has the id of the original, so to the company it is the same message delivered twice. Only messages that were
certainly sent are rebuilt: a copy of one that never was could be taken for the real one when that comes.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from aicompany.conversations.intake import DIALOG_LANE
from aicompany.ids import TaskId, TraceId, message_id_of
from aicompany.messaging.envelope import Envelope, Purpose
from aicompany.messaging.lanes import Lane
from aicompany_workers.runtime.envelopes import delivery_of, receipt_of, step_envelope


@dataclass(frozen=True, slots=True)
class Trace:
    """An event with what is needed to rebuild the messages it was stored with."""

    aggregate_id: str
    event_type: str
    data: dict[str, Any]
    metadata: dict[str, Any]
    lane: str | None
    """Of the task, as it was submitted."""
    agent: str | None


def copies_of(traces: Iterable[Trace]) -> Iterator[Envelope]:
    """The messages that were stored together with these events."""
    for trace in traces:
        trace_id = TraceId(str(trace.metadata.get("trace_id", "0" * 32)))
        if trace.event_type == "turn_taken":
            turn = int(trace.data["turn"])
            yield Envelope(
                id=message_id_of(Purpose.ANSWER_TURN, trace.aggregate_id, turn),
                purpose=Purpose.ANSWER_TURN,
                task_id=trace.aggregate_id,
                lane=DIALOG_LANE,
                trace_id=trace_id,
                details={"turn": turn},
            )
            continue
        order = Envelope(
            id=message_id_of(Purpose.PLAN_ORDER, trace.aggregate_id),
            purpose=Purpose.PLAN_ORDER,
            task_id=trace.aggregate_id,
            lane=Lane(trace.lane or "normal"),
            trace_id=trace_id,
        )
        task = TaskId(trace.aggregate_id)
        is_step = "." in trace.aggregate_id
        match trace.event_type:
            case "task_submitted" if is_step:
                yield step_envelope(Purpose.RUN_STEP, task, trace.agent or "", order, lane=order.lane, run=1)
            case "task_submitted":
                yield order
            case "task_completed" if is_step:
                yield receipt_of(order, "ended")
            case "task_completed":
                yield delivery_of(task, order, run=1)
