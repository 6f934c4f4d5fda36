"""The Messages API as a real server on loopback: answers, errors, headers and streams, scripted by the test.

What it answers follows the API's published shapes (https://platform.claude.com/docs/en/api/messages).
"""

import asyncio
import json
import math
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from aiohttp import web
from tests.messages_api.limits import EnforcedLimits, input_tokens_of

ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}


@dataclass(frozen=True)
class Reply:
    """One answer of the server."""

    status: int = 200
    text: str = "a fine answer"
    content: tuple[dict[str, Any], ...] = ()
    """Blocks, instead of the text."""
    stop_reason: str = "end_turn"
    headers: dict[str, str] = field(default_factory=dict)
    message: str = "as the test wished"
    """Of an error."""
    raw: bytes | None = None
    """Sent as the body, as it is."""
    fault: str | None = None
    """`hang`, `reset`, `trickle` (a space now and then, never the answer), or of a stream that has begun: `cut`
    (the connection breaks), `end` (it stops without a last word), `fail` (it says `error_type` in the middle)."""
    error_type: str = "overloaded_error"
    output_tokens: int = 20
    latency_seconds: float | None = None


Script = Callable[[dict[str, Any]], Reply]


class MessagesApi:
    """The server. Replies come from `script` when it is set, else from the queue, else all is fine."""

    def __init__(
        self, *, latency_seconds: float = 0.0, limits: EnforcedLimits | None = None, key: str | None = None
    ) -> None:
        self.latency_seconds = latency_seconds
        self.limits = limits
        self.replies: deque[Reply] = deque()
        self.script: Script | None = None
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.at_once = 0
        self.at_once_max = 0
        self.url = ""
        self.key = key
        """The only key that is accepted; any is when it is not set."""

    @asynccontextmanager
    async def serving(self, port: int = 0, *, host: str = "127.0.0.1") -> AsyncIterator["MessagesApi"]:
        """Serve, on a loopback port unless told otherwise, while the context is open."""
        app = web.Application(client_max_size=64 * 2**20)
        app.router.add_post("/v1/messages", self._handle)
        app.router.add_get("/v1/models", self._models)
        app.router.add_get("/limits", self._report)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0, handler_cancellation=True)
        await runner.setup()
        site = web.TCPSite(runner, host, port, backlog=2048)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()

    def _is_stranger(self, request: web.Request) -> bool:
        shown = {request.headers.get("x-api-key"), request.headers.get("authorization", "").removeprefix("Bearer ")}
        return self.key is not None and self.key not in shown

    async def _models(self, request: web.Request) -> web.Response:
        if self._is_stranger(request):
            return _problem(401, "invalid x-api-key", {})
        return web.json_response({"data": [], "has_more": False, "first_id": None, "last_id": None})

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if self._is_stranger(request):
            return _problem(401, "invalid x-api-key", {})
        body = await request.json()
        self.requests.append(body)
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        self.at_once += 1
        self.at_once_max = max(self.at_once_max, self.at_once)
        try:
            reply = self._refusal_of(body) or self._reply_to(body)
            latency = self.latency_seconds if reply.latency_seconds is None else reply.latency_seconds
            if latency:
                await asyncio.sleep(latency)
            if self.limits is not None:
                if reply.status == 200:
                    self.limits.write(reply.output_tokens)
                reply = replace(reply, headers={**self.limits.headers(), **reply.headers})
            return await self._send(request, body, reply)
        finally:
            self.at_once -= 1

    async def _report(self, _: web.Request) -> web.Response:
        """What the limits have seen."""
        return web.json_response(self.limits.report() if self.limits else {})

    def _refusal_of(self, body: dict[str, Any]) -> Reply | None:
        wait = self.limits.admit(input_tokens_of(body)) if self.limits else 0.0
        if wait <= 0:
            return None
        return Reply(429, message="slow down", headers={"retry-after": str(math.ceil(wait))}, latency_seconds=0.0)

    def _reply_to(self, body: dict[str, Any]) -> Reply:
        if self.script is not None:
            return self.script(body)
        return self.replies.popleft() if self.replies else Reply()

    async def _send(self, request: web.Request, body: dict[str, Any], reply: Reply) -> web.StreamResponse:
        headers = {"request-id": f"req_{len(self.requests)}", **reply.headers}
        if reply.fault == "hang":
            await asyncio.Event().wait()
        if reply.fault == "reset":
            assert request.transport is not None
            request.transport.abort()
        if reply.fault == "trickle":
            return await _trickle(request, headers)
        if reply.raw is not None:
            headers.setdefault("content-type", "application/json")
            return web.Response(status=reply.status, body=reply.raw, headers=headers)
        if reply.status != 200:
            return _problem(reply.status, reply.message, headers)
        message = message_of(body, reply, len(self.requests))
        if self.limits is not None:
            message["usage"]["input_tokens"] = input_tokens_of(body)
        if body.get("stream"):
            return await _stream(request, message, reply, headers)
        return web.json_response(message, headers=headers)


def _problem(status: int, message: str, headers: dict[str, str]) -> web.Response:
    error = {"type": ERROR_TYPES.get(status, "api_error"), "message": message}
    shown = {"type": "error", "error": error, "request_id": headers.get("request-id", "req_0")}
    return web.json_response(shown, status=status, headers=headers)


def message_of(body: dict[str, Any], reply: Reply, number: int) -> dict[str, Any]:
    """A message as the API answers it."""
    content = list(reply.content) or [{"type": "text", "text": _text_for(body, reply)}]
    return {
        "id": f"msg_{number}",
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": content,
        "stop_reason": reply.stop_reason,
        "stop_sequence": None,
        "usage": {"input_tokens": 100, "output_tokens": reply.output_tokens, "cache_read_input_tokens": 0},
    }


def _text_for(body: dict[str, Any], reply: Reply) -> str:
    if "format" in body.get("output_config", {}):
        step = {"title": "Do it", "instruction": "Do it well", "kind": "writing", "speciality": ""}
        return json.dumps({"phases": [{"name": "Do", "steps": [step]}]})
    return reply.text


async def _stream(
    request: web.Request, message: dict[str, Any], reply: Reply, headers: dict[str, str]
) -> web.StreamResponse:
    response = web.StreamResponse(headers={**headers, "content-type": "text/event-stream"})
    await response.prepare(request)
    start = {**message, "content": [], "stop_reason": None, "usage": {**message["usage"], "output_tokens": 1}}
    await _event(response, "message_start", message=start)
    for index, block in enumerate(message["content"]):
        empty, deltas = _in_parts(block)
        await _event(response, "content_block_start", index=index, content_block=empty)
        for delta in deltas:
            await _event(response, "content_block_delta", index=index, delta=delta)
            if reply.fault in {"cut", "end", "fail"}:
                return await _broken_off(request, response, reply)
        await _event(response, "content_block_stop", index=index)
    delta = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    await _event(response, "message_delta", delta=delta, usage={"output_tokens": reply.output_tokens})
    await _event(response, "message_stop")
    return response


def _in_parts(block: dict[str, Any]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A block as a stream brings it: how it starts, and what is added to it."""
    match block["type"]:
        case "text":
            return {**block, "text": ""}, [{"type": "text_delta", "text": part} for part in _halves(block["text"])]
        case "tool_use":
            parts = _halves(json.dumps(block["input"]))
            return {**block, "input": {}}, [{"type": "input_json_delta", "partial_json": part} for part in parts]
        case "thinking":
            deltas = [
                {"type": "thinking_delta", "thinking": block["thinking"]},
                {"type": "signature_delta", "signature": block["signature"]},
            ]
            return {**block, "thinking": "", "signature": ""}, deltas
        case _:
            return block, []


def _halves(text: str) -> tuple[str, str]:
    half = len(text) // 2
    return text[:half], text[half:]


async def _broken_off(request: web.Request, response: web.StreamResponse, reply: Reply) -> web.StreamResponse:
    if reply.fault == "fail":
        await _event(response, "error", error={"type": reply.error_type, "message": reply.message})
    if reply.fault == "cut":
        assert request.transport is not None
        request.transport.abort()
    return response


async def _trickle(request: web.Request, headers: dict[str, str]) -> web.StreamResponse:
    response = web.StreamResponse(headers={**headers, "content-type": "application/json"})
    await response.prepare(request)
    while True:
        await response.write(b" ")
        await asyncio.sleep(0.05)


async def _event(response: web.StreamResponse, kind: str, **fields: Any) -> None:
    data = json.dumps({"type": kind, **fields})
    await response.write(f"event: {kind}\ndata: {data}\n\n".encode())
