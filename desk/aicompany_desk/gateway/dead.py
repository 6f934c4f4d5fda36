"""`/v1/dead`: messages that could not be carried out."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse

from aicompany.dead_letters.replay import replay_of
from aicompany.errors import NotFound, NotPossible
from aicompany.ids import TaskId, order_id_of
from aicompany.plans.state import fold_order
from aicompany.ports.event_store import AggregateRef, AggregateType, DeadLetterRow
from aicompany_desk.gateway.ports import GatewayPorts
from aicompany_desk.gateway.rows import event_json, json_of

_REPLAYED_AT_ONCE_MAX = 1000


def routes(ports: GatewayPorts) -> APIRouter:
    """The routes of dead letters."""
    router = APIRouter(prefix="/v1/dead", tags=["dead letters"])

    @router.get("", summary="List dead letters, last buried first")
    async def list_all(
        include_replayed: bool = False, limit: Annotated[int, Query(ge=1, le=1000)] = 100
    ) -> JSONResponse:
        rows = await ports.queries.dead_letters(include_replayed=include_replayed, limit=limit)
        return JSONResponse({"dead": [json_of(row) for row in rows]})

    @router.get("/{letter_id}", summary="A dead letter with its history")
    async def show(letter_id: str) -> JSONResponse:
        row = await _row(ports, letter_id)
        records = await ports.store.read(AggregateRef(AggregateType.DEAD_LETTER, letter_id))
        return JSONResponse({**json_of(row), "history": [event_json(record) for record in records]})

    @router.post("/{letter_id}/replay", status_code=202, summary="Send a dead letter again")
    async def replay(letter_id: str) -> JSONResponse:
        return JSONResponse(await _replay(ports, await _row(ports, letter_id)), status_code=202)

    @router.post("/replay", status_code=202, summary="Send all dead letters again")
    async def replay_all() -> JSONResponse:
        replayed, refused = [], []
        for row in await ports.queries.dead_letters(limit=_REPLAYED_AT_ONCE_MAX):
            try:
                replayed.append(await _replay(ports, row))
            except NotPossible as error:
                refused.append({"id": row.id, "detail": error.message})
        return JSONResponse({"replayed": replayed, "refused": refused}, status_code=202)

    return router


async def _row(ports: GatewayPorts, letter_id: str) -> DeadLetterRow:
    row = await ports.queries.dead_letter(letter_id)
    if row is None:
        raise NotFound(f"there is no dead letter {letter_id}; `aicompany dead list` lists them")
    return row


async def _replay(ports: GatewayPorts, row: DeadLetterRow) -> dict[str, Any]:
    run = 1
    if row.task_id is not None:
        order_id = order_id_of(TaskId(row.task_id))
        order = fold_order(order_id, await ports.store.read(AggregateRef(AggregateType.TASK, order_id)))
        run = order.run if order else 1
    await ports.store.commit(replay_of(row, by="gateway", order_run=run))
    return {"id": row.id, "task_id": row.task_id, "state": "replayed"}
