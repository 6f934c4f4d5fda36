"""The model's service as the checker needs it: the real fake of the tests, with a ledger of every request.

A process says who it is by its API key, and the numbers of the load stand in the prompts, so each request can be
put to the life of a process and to an order or turn. On purpose it refuses, overloads, hangs and cuts.
"""

import asyncio
import json
import random
import re
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from aiohttp import web
from tests.faults.evidence import Call, Outcome, answer_of, marks_in
from tests.messages_api.server import MessagesApi, Reply

_PART = re.compile(r"part (\d) of #(\d+)#")
KEY_PREFIX = "sk-test-"


class Trouble(StrEnum):
    """What the service does instead of answering."""

    RATE_LIMITED = "429"
    OVERLOADED = "529"
    HANGING = "hanging"
    CUT = "cut"


_REPLY_OF = {
    Trouble.RATE_LIMITED: Reply(status=429, headers={"retry-after": "1"}),
    Trouble.OVERLOADED: Reply(status=529),
    Trouble.HANGING: Reply(fault="hang"),
    Trouble.CUT: Reply(fault="cut"),
}
_SHARE_IN_TROUBLE = 0.7
"""Part of the requests that meet the trouble while it lasts."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request is about."""

    key: str
    context: tuple[int, ...] = ()
    parts: tuple[str, ...] = ()
    """Of a plan: the instructions of its two steps."""


class LedgerApi(MessagesApi):
    """The service with its ledger, `calls`."""

    def __init__(self, *, latency_seconds: tuple[float, float], chance: random.Random) -> None:
        super().__init__()
        self.calls: list[Call] = []
        self.trouble: Trouble | None = None
        self._latency_seconds = latency_seconds
        self._chance = chance
        self._count = 0

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        begun = time.monotonic()
        body = await request.json()
        asked = asked_in(body)
        self._count += 1
        request_id = f"req_{self._count}"
        reply, outcome = self._chosen(asked)
        reply.headers["request-id"] = request_id
        how = Outcome.ABANDONED
        try:
            await asyncio.sleep(self._chance.uniform(*self._latency_seconds))
            if reply.fault == "cut" and not body.get("stream"):
                assert request.transport is not None
                request.transport.abort()
            answer = await self._send(request, body, reply)
            how = outcome
        finally:
            if outcome is Outcome.BROKEN:
                how = outcome
            key = request.headers.get("x-api-key") or request.headers.get("authorization", "").removeprefix("Bearer ")
            caller = key.removeprefix(KEY_PREFIX)
            self.calls.append(Call(asked.key, request_id, caller, begun, time.monotonic(), how, asked.context))
        return answer

    def _chosen(self, asked: Asked) -> tuple[Reply, Outcome]:
        if self.trouble is not None and self._chance.random() < _SHARE_IN_TROUBLE:
            model = _REPLY_OF[self.trouble]
            reply = Reply(status=model.status, fault=model.fault, headers=dict(model.headers))
            return reply, Outcome.REFUSED if reply.status != 200 else Outcome.BROKEN
        text = _plan_of(asked) if asked.parts else answer_of(asked.key)
        return Reply(content=({"type": "text", "text": text},), headers={}), Outcome.ANSWERED

    def _reply_to(self, body: dict[str, Any]) -> Reply:
        raise NotImplementedError("replies are chosen with the ledger in sight")


def asked_in(body: dict[str, Any]) -> Asked:
    """What a request is about, from its prompt."""
    texts = [[block.get("text", "") for block in message["content"]] for message in body["messages"]]
    if "format" in body.get("output_config", {}):
        number = next(iter(marks_in(texts[0][0])), 0)
        return Asked(f"{number}/plan", parts=tuple(f"Do part {part} of #{number}#." for part in (1, 2)))
    said = [texts[place] for place, message in enumerate(body["messages"]) if message["role"] == "user"]
    if any(tool["name"] == "place_order" for tool in body.get("tools", ())):
        numbers = [number for text in said for number in marks_in(" ".join(text))]
        return Asked(str(numbers[-1]) if numbers else "0", context=tuple(numbers[:-1]))
    instruction = said[0][-1]
    if part := _PART.search(instruction):
        return Asked(f"{part[2]}/{part[1]}")
    return Asked(str(next(iter(marks_in(instruction)), 0)))


def _plan_of(asked: Asked) -> str:
    phases = [
        {
            "name": f"phase {place}",
            "steps": [{"title": "part", "instruction": part, "kind": "writing", "speciality": ""}],
        }
        for place, part in enumerate(asked.parts, start=1)
    ]
    return json.dumps({"phases": phases})
