"""`/v1/tasks`: orders."""

from typing import Annotated

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import JSONResponse
from starlette.responses import Response

from aicompany.errors import BrokerUnavailable, NotFound, NotPossible, QueueFull, VersionConflict
from aicompany.ids import TaskId, message_id_of, order_id_of
from aicompany.messaging.envelope import Envelope, Purpose
from aicompany.messaging.lanes import Lane
from aicompany.messaging.topology import queue_name
from aicompany.plans.proposal import listed_tasks
from aicompany.ports.broker import Outgoing
from aicompany.ports.event_store import Change, TaskRow
from aicompany.spec.company import CompanySpec
from aicompany.tasks.intake import OrderRequest, accept_order
from aicompany.tasks.task import TaskState
from aicompany_desk.gateway.ports import GatewayPorts
from aicompany_desk.gateway.rows import task_json
from aicompany_desk.gateway.streams import Told, stream_of
from aicompany_desk.gateway.whole_task import whole_task

_REFUSED_SECONDS = 30
_RETRY_AFTER_SECONDS = 2.0


def routes(spec: CompanySpec, ports: GatewayPorts) -> APIRouter:
    """The routes of orders."""
    router = APIRouter(prefix="/v1/tasks", tags=["tasks"])

    @router.post("", status_code=202, summary="Hand in an order")
    async def submit(
        order: OrderRequest, idempotency_key: Annotated[str | None, Header(max_length=200)] = None
    ) -> JSONResponse:
        listed_tasks(order.prompt, spec.planning)
        accepted = accept_order(
            order,
            spec.orders,
            now=ports.clock.now(),
            new_id=ports.ids.new_id,
            trace_id=ports.ids.new_trace_id(),
            idempotency_key=idempotency_key,
        )
        await _refuse_when_full(spec, ports, accepted.lane)
        try:
            await ports.store.commit(accepted.change)
        except VersionConflict:
            # The same key again: the order exists, and this is its answer.
            row = await _row(ports, accepted.task_id)
            if row.prompt != order.prompt:
                raise NotPossible(f"the idempotency key was used for another order ({row.id}); use a new key") from None
            return _accepted(row.id, row.state, row.lane, "as it was handed in before")
        return _accepted(accepted.task_id, TaskState.SUBMITTED.value, accepted.lane.value, accepted.lane_reason)

    @router.get("", summary="List orders, newest first")
    async def list_orders(
        state: TaskState | None = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 50,
        before: str | None = None,
    ) -> JSONResponse:
        rows = await ports.queries.tasks(state=state.value if state else None, limit=limit, before_id=before)
        return JSONResponse({"tasks": [task_json(row) for row in rows]})

    @router.get("/{task_id}", summary="An order or step with its whole history")
    async def show(task_id: str) -> JSONResponse:
        whole = await whole_task(task_id, ports.queries, ports.store)
        if whole is None:
            raise _not_found(task_id)
        return JSONResponse(whole.to_json())

    @router.get("/{task_id}/events", summary="Progress of an order or a step as server-sent events")
    async def follow(request: Request, task_id: str) -> Response:
        row = await _row(ports, task_id)

        told = Told(
            row.id,
            lambda position: ports.store.read_order(row.id, after_position=position),
            lambda: _is_over(ports, row.id),
        )
        return await stream_of(ports, told, _position(request))

    @router.post("/{task_id}/cancel", status_code=202, summary="Cancel an order")
    async def cancel(task_id: str, reason: str = "its requester cancelled it") -> JSONResponse:
        row = await _row(ports, order_id_of(TaskId(task_id)))
        if TaskState(row.state).ended:
            raise NotPossible(f"order {row.id} is {row.state} already")
        envelope = Envelope(
            id=message_id_of(Purpose.CANCEL_ORDER, f"{row.id}:{ports.ids.new_id()}"),
            purpose=Purpose.CANCEL_ORDER,
            task_id=row.id,
            lane=Lane.CRITICAL,
            trace_id=ports.ids.new_trace_id(),
            details={"reason": reason},
        )
        queue = queue_name("pm", Lane.CRITICAL)
        await ports.store.commit(Change(outgoing=(Outgoing(queue, envelope.to_json(), envelope.id),)))
        return JSONResponse({"id": row.id, "state": row.state, "cancelling": True}, status_code=202)

    return router


async def _refuse_when_full(spec: CompanySpec, ports: GatewayPorts, lane: Lane) -> None:
    """Raises `QueueFull` when the PM's queue of the lane, or the outbox before it, holds as much as it may."""
    if lane is Lane.LOW and ports.refuses_low_orders():
        raise QueueFull(
            "there is more work than the company can do, so it takes no orders for the low lane; try again later, or "
            "hand it in with a higher priority",
            retry_after_seconds=_REFUSED_SECONDS,
        )
    if ports.broker is None:
        return
    try:
        depth = await ports.broker.depth(queue_name("pm", lane))
        held = depth.ready + (depth.unacknowledged or 0) + (depth.delayed or 0)
    except BrokerUnavailable:
        # The order is kept in the store until the broker is back; what waits there is bounded below.
        held = 0
    if held >= spec.queues.length_max or await ports.backlog() >= spec.queues.length_max:
        raise QueueFull(
            f"the {lane.value} lane is full ({held} orders wait); try again later",
            retry_after_seconds=_RETRY_AFTER_SECONDS,
        )


async def _row(ports: GatewayPorts, task_id: str) -> TaskRow:
    row = await ports.queries.task(task_id)
    if row is None:
        raise _not_found(task_id)
    return row


def _not_found(task_id: str) -> NotFound:
    return NotFound(f"there is no task {task_id}; `aicompany tasks` lists them")


async def _is_over(ports: GatewayPorts, task_id: str) -> bool:
    """Whether nothing more comes of it by itself: an order is over when its result was delivered as well."""
    row = await _row(ports, task_id)
    return TaskState(row.state).ended and (row.parent_id is not None or row.delivered_at is not None)


def _accepted(task_id: str, state: str, lane: str, reason: str) -> JSONResponse:
    links = {"self": f"/v1/tasks/{task_id}", "events": f"/v1/tasks/{task_id}/events"}
    body = {"id": task_id, "state": state, "lane": lane, "lane_reason": reason, "links": links}
    return JSONResponse(body, status_code=202, headers={"Location": links["self"]})


def _position(request: Request) -> int:
    wish = request.headers.get("last-event-id") or request.query_params.get("after") or "0"
    return int(wish) if wish.isdigit() else 0
