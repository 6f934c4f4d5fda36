"""`/v1/conversations`: talking."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from aicompany.conversations.intake import start_conversation, take_turn
from aicompany.conversations.state import Conversation, fold_conversation
from aicompany.errors import NotFound, VersionConflict
from aicompany.ports.event_store import AggregateRef, AggregateType, EventRecord
from aicompany.spec.company import CompanySpec
from aicompany_desk.gateway.ports import GatewayPorts
from aicompany_desk.gateway.rows import event_json, json_of
from aicompany_desk.gateway.streams import Told, stream_of

_CONFLICTS_MAX = 20


class ConversationRequest(BaseModel):
    """A new conversation."""

    model_config = ConfigDict(extra="forbid")
    requester: str | None = Field(default=None, max_length=200, description="Who talks.")


class TurnRequest(BaseModel):
    """Something the user says."""

    model_config = ConfigDict(extra="forbid")
    text: str = Field(description="What is said.")


def routes(spec: CompanySpec, ports: GatewayPorts) -> APIRouter:
    """The routes of conversations."""
    router = APIRouter(prefix="/v1/conversations", tags=["conversations"])

    @router.post("", status_code=201, summary="Start a conversation")
    async def start(request: ConversationRequest) -> JSONResponse:
        conversation_id = ports.ids.new_id()
        await ports.store.commit(start_conversation(conversation_id, request.requester))
        return JSONResponse({"id": conversation_id}, status_code=201)

    @router.get("", summary="List conversations, last changed first")
    async def list_all(limit: Annotated[int, Query(ge=1, le=1000)] = 50) -> JSONResponse:
        rows = await ports.queries.conversations(limit=limit)
        return JSONResponse({"conversations": [json_of(row) for row in rows]})

    @router.get("/{conversation_id}", summary="A conversation with all its turns")
    async def show(conversation_id: str) -> JSONResponse:
        row = await ports.queries.conversation(conversation_id)
        if row is None:
            raise _unknown(conversation_id)
        records = await _records(ports, conversation_id, 0)
        return JSONResponse({**json_of(row), "history": [event_json(record) for record in records]})

    @router.post("/{conversation_id}/turns", status_code=202, summary="Say something")
    async def say(conversation_id: str, request: TurnRequest) -> JSONResponse:
        for _ in range(_CONFLICTS_MAX):
            conversation = await _conversation(ports, conversation_id)
            turn, change = take_turn(conversation, request.text, spec.orders, trace_id=ports.ids.new_trace_id())
            try:
                records = await ports.store.commit(change)
            except VersionConflict:
                continue
            answer = {"conversation": conversation_id, "turn": turn, "position": records[0].position}
            return JSONResponse(answer, status_code=202)
        raise VersionConflict(f"conversation {conversation_id} is being changed by many at once; say it again")

    @router.get("/{conversation_id}/events", summary="What happens in a conversation, as server-sent events")
    async def follow(request: Request, conversation_id: str, until_turn: int | None = None) -> Response:
        await _conversation(ports, conversation_id)
        after = request.headers.get("last-event-id") or request.query_params.get("after") or "0"

        told = Told(
            conversation_id,
            lambda position: _records(ports, conversation_id, position),
            lambda: _is_over(ports, conversation_id, until_turn),
        )
        return await stream_of(ports, told, int(after) if after.isdigit() else 0)

    return router


async def _records(ports: GatewayPorts, conversation_id: str, after_position: int) -> list[EventRecord]:
    records = await ports.store.read(AggregateRef(AggregateType.CONVERSATION, conversation_id))
    return [record for record in records if record.position > after_position]


async def _is_over(ports: GatewayPorts, conversation_id: str, until_turn: int | None) -> bool:
    """Whether the turn was answered, or failed; a conversation itself is never over."""
    if until_turn is None:
        return False
    conversation = await _conversation(ports, conversation_id)
    return conversation.turns >= until_turn and until_turn not in conversation.open_turns


async def _conversation(ports: GatewayPorts, conversation_id: str) -> Conversation:
    conversation = fold_conversation(conversation_id, await _records(ports, conversation_id, 0))
    if conversation is None:
        raise _unknown(conversation_id)
    return conversation


def _unknown(conversation_id: str) -> NotFound:
    return NotFound(f"there is no conversation {conversation_id}; `aicompany talk --new` starts one")
