"""What becomes of a request for an order: refused with a sentence, or one change that makes it exist."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import BaseModel, ConfigDict, Field

from aicompany.errors import OrderInvalid, OrderTooLarge
from aicompany.ids import TaskId, TraceId, message_id_of, task_id_of_key
from aicompany.messaging.envelope import Envelope, Purpose
from aicompany.messaging.lanes import Lane
from aicompany.messaging.topology import queue_of
from aicompany.ports.broker import Outgoing
from aicompany.ports.event_store import AggregateRef, AggregateType, Append, Change, NewEvent
from aicompany.spec.work import OrdersSpec
from aicompany.tasks.events import TaskSubmitted
from aicompany.tasks.kind import kind_of
from aicompany.tasks.priority import analyse_priority
from aicompany.tasks.task import Attachment, TaskKind

_TITLE_CHARACTERS = 80
_DEADLINE_SECONDS_MAX = 100 * 365 * 86_400.0
"""A century: later dates cannot be told by every clock, and nobody waits for them."""


class OrderRequest(BaseModel):
    """An order as a client hands it in."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    prompt: str = Field(description="What is to be done; a JSON list is many tasks.")
    title: str | None = Field(default=None, max_length=200, description="A short name; made from the prompt otherwise.")
    kind: TaskKind | None = Field(default=None, description="What sort of work; guessed from the prompt otherwise.")
    priority: Lane | None = Field(default=None, description="Lane; found from the words of the prompt otherwise.")
    attachments: tuple[Attachment, ...] = Field(default=(), description="Text files that belong to it.")
    deadline_seconds: float | None = Field(default=None, gt=0, description="Cancelled when not done by then.")
    requester: str | None = Field(default=None, max_length=200, description="Who asks.")
    conversation_id: str | None = Field(default=None, description="The conversation it was placed in.")


@dataclass(frozen=True, slots=True)
class Accepted:
    """An order that may be stored; it exists once `change` is committed."""

    task_id: TaskId
    lane: Lane
    lane_reason: str
    change: Change


def accept_order(
    request: OrderRequest,
    orders: OrdersSpec,
    *,
    now: datetime,
    new_id: Callable[[], str],
    trace_id: TraceId,
    idempotency_key: str | None = None,
) -> Accepted:
    """The change that makes the order exist.

    With an idempotency key the id follows from requester and key, so that a second commit meets a `VersionConflict`.
    Raises `OrderInvalid` and `OrderTooLarge`.
    """
    check_order(request, orders)
    drawn = task_id_of_key(request.requester or "", idempotency_key) if idempotency_key else TaskId(new_id())
    kind = request.kind or kind_of(request.prompt)
    lane, lane_reason = analyse_priority(request.prompt, kind, requested=request.priority)
    wished_seconds = request.deadline_seconds or orders.deadline_seconds
    deadline_seconds = min(wished_seconds, orders.deadline_seconds, _DEADLINE_SECONDS_MAX)
    submitted = TaskSubmitted(
        title=request.title or title_of(request.prompt),
        prompt=request.prompt,
        kind=kind,
        lane=lane,
        lane_reason=lane_reason,
        lane_is_wish=request.priority is not None,
        attachments=request.attachments,
        requester=request.requester,
        conversation_id=request.conversation_id,
        deadline=now + timedelta(seconds=deadline_seconds),
    )
    return Accepted(drawn, lane, lane_reason, _change_of(drawn, submitted, trace_id))


def _change_of(order: TaskId, submitted: TaskSubmitted, trace_id: TraceId) -> Change:
    envelope = Envelope(
        id=message_id_of(Purpose.PLAN_ORDER, order),
        purpose=Purpose.PLAN_ORDER,
        task_id=order,
        lane=submitted.lane,
        trace_id=trace_id,
    )
    event = NewEvent(submitted.event_type, submitted.to_json())
    return Change(
        appends=(Append(AggregateRef(AggregateType.TASK, order), 0, (event,)),),
        outgoing=(Outgoing(queue_of(envelope), envelope.to_json(), envelope.id),),
        metadata={"trace_id": trace_id},
    )


def check_order(request: OrderRequest, orders: OrdersSpec) -> None:
    """Raises `OrderInvalid` or `OrderTooLarge` with what to do instead."""
    check_text("the prompt", request.prompt, bytes_max=orders.prompt_bytes_max)
    check_unicode("the conversation's id", request.conversation_id or "")
    if len(request.attachments) > orders.attachments_max:
        raise OrderTooLarge(
            f"{len(request.attachments)} files are attached, at most {orders.attachments_max} may be; "
            "join some, or raise spec.orders.attachmentsMax"
        )
    size = 0
    for file in request.attachments:
        if "\x00" in file.content:
            raise OrderInvalid(f"the file {file.name} is not text; attach text files only")
        size += check_unicode(f"the file {file.name}", file.content)
    if size > orders.attachment_bytes_max:
        raise OrderTooLarge(
            f"the attached files have {size:,} bytes, at most {orders.attachment_bytes_max:,} are taken; "
            "attach less, or raise spec.orders.attachmentBytesMax"
        )


def check_text(what: str, text: str, *, bytes_max: int | None = None) -> None:
    """Raises `OrderInvalid` for an empty text and `OrderTooLarge` for one over the size, bytes of UTF-8."""
    if not text.strip():
        raise OrderInvalid(f"{what} is empty; say what is to be done")
    if "\x00" in text:
        raise OrderInvalid(f"{what} is not text (it holds a NUL byte)")
    size = check_unicode(what, text)
    if bytes_max is not None and size > bytes_max:
        raise OrderTooLarge(
            f"{what} has {size:,} bytes, at most {bytes_max:,} are taken; "
            "hand long material in as a file, or raise spec.orders.promptBytesMax"
        )


def check_unicode(what: str, text: str) -> int:
    """The text's size, bytes of UTF-8. Raises `OrderInvalid` for half a surrogate pair, which JSON lets through."""
    try:
        return len(text.encode())
    except UnicodeEncodeError as error:
        raise OrderInvalid(f"{what} is not valid Unicode at character {error.start}") from error


def title_of(prompt: str) -> str:
    """The first line, shortened."""
    line = next((line.strip() for line in prompt.splitlines() if line.strip()), "")
    return line if len(line) <= _TITLE_CHARACTERS else line[: _TITLE_CHARACTERS - 1].rstrip() + "…"
