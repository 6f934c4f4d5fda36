"""Two hundred times `kill -9` at a random moment, with orders coming in all the while.

Afterwards every accepted order must have ended exactly once, told its requester exactly once, and asked the model
again only for what was in flight on a process that died.
"""

import asyncio
import json
import multiprocessing
import os
import random
import signal
import sqlite3
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.crash.victim import live
from tests.messages_api.server import MessagesApi, Reply
from tests.waiting import eventually

ROUNDS = int(os.environ.get("CRASH_ROUNDS", "200"))
SEED = int(os.environ.get("CRASH_SEED", "20261120"))
ORDERS_A_ROUND = 5
LIFE_SECONDS_MAX = 0.5
"""Of a company that has started, however long that took."""
KILLED_EARLY = 0.2
"""Part of the rounds in which the company may be killed while it starts."""
START_SECONDS = 0.4

_ENDS = ("task_completed", "task_failed", "task_cancelled")


class Attacker:
    """Starts the company, hands orders in, kills it, and remembers what was accepted."""

    def __init__(self, state: Path, api: MessagesApi, chance: random.Random) -> None:
        self.state = state
        self.api = api
        self.chance = chance
        self.accepted: set[str] = set()
        self.number = 0
        self.killed_in_start = 0
        self._processes = multiprocessing.get_context("forkserver")
        self._processes.set_forkserver_preload(["tests.crash.victim", "aicompany_workers.model.anthropic"])

    def start(self) -> multiprocessing.process.BaseProcess:
        (self.state / "gateway.json").unlink(missing_ok=True)
        process = self._processes.Process(target=live, args=(str(self.state), self.api.url), daemon=True)
        process.start()
        return process

    async def url(self) -> str:
        place = self.state / "gateway.json"
        return json.loads(await eventually(lambda: place.exists() and place.read_text(), within_seconds=30))["url"]

    async def hand_in_orders(self) -> None:
        async with httpx2.AsyncClient(base_url=await self.url(), timeout=5) as http:
            for _ in range(ORDERS_A_ROUND):
                with suppress(httpx2.TransportError):
                    answer = await http.post("/v1/tasks", json=self._order())
                    assert answer.status_code == 202, answer.text
                    self.accepted.add(answer.json()["id"])

    async def round(self) -> None:
        process = self.start()
        if self.chance.random() < KILLED_EARLY:
            life_seconds = self.chance.uniform(0, START_SECONDS)
        else:
            await self.url()
            life_seconds = self.chance.uniform(0, LIFE_SECONDS_MAX)
        with suppress(TimeoutError):
            async with asyncio.timeout(life_seconds):
                await self.hand_in_orders()
                await asyncio.Event().wait()
        self.killed_in_start += not (self.state / "gateway.json").exists()
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        await asyncio.to_thread(process.join, 10)
        assert process.exitcode == -signal.SIGKILL, "the company ended by itself"

    def _order(self) -> dict[str, str]:
        """Plain orders, lists, orders that Claude plans and that make files, and orders that are refused half-way."""
        self.number += 1
        match self.number % 5:
            case 0:
                return {"prompt": json.dumps([f"order {self.number} part {part}" for part in range(3)])}
            case 1:
                return {"prompt": f"order {self.number} planned", "kind": "code"}
            case 2 if self.number % 4 == 0:
                return {"prompt": f"order {self.number} refused", "kind": "code"}
            case _:
                return {"prompt": f"order {self.number}"}


def claude(body: dict[str, Any]) -> Reply:
    """Plans two phases, writes a file in the first, refuses the second phase of orders that say so."""
    texts = [block.get("text", "") for message in body["messages"] for block in message["content"]]
    if "format" in body.get("output_config", {}):
        number = next(word for text in texts for word in text.split() if word.isdigit())
        ending = "refused" if "refused" in texts[0] else "done"
        phases = [(f"step {number} writes",), (f"step {number} {ending}", f"step {number} beside")]
        plan = {"phases": [{"name": "p", "steps": [_step(title) for title in titles]} for titles in phases]}
        return Reply(content=({"type": "text", "text": json.dumps(plan)},))
    if _instruction(texts[-1]).endswith("writes") and len(body["messages"]) == 1:
        use = {"type": "tool_use", "id": "t", "name": "write_file", "input": {"path": "out.txt", "content": "x"}}
        return Reply(content=(use,), stop_reason="tool_use")
    return Reply(stop_reason="refusal" if "refused" in _instruction(texts[-1]) else "end_turn")


def _step(title: str) -> dict[str, str]:
    return {"title": title, "instruction": title, "kind": "writing", "speciality": ""}


def judge(state: Path, api: MessagesApi, attacker: Attacker) -> dict[str, int]:
    """What the store, the notices and the model's server say of the orders."""
    connection = sqlite3.connect(f"file:{state / 'company.db'}?mode=ro", uri=True)
    events = connection.execute("SELECT aggregate_id, event_type, event_data FROM events").fetchall()
    connection.close()
    kinds = Counter((task, kind) for task, kind, _ in events)
    orders = {task for task, kind, _ in events if kind == "task_submitted" and "." not in task}
    steps = {
        task: json.loads(data)["prompt"] for task, kind, data in events if kind == "task_submitted" and "." in task
    }
    notices = Counter(json.loads(line)["task_id"] for line in (state / "notices.jsonl").read_text().splitlines())
    calls = Counter(_instruction(body["messages"][0]["content"][-1]["text"]) for body in api.requests)
    answers = {step: kinds[step, "model_answered"] for step in steps}
    refused = {
        task for task, kind, data in events if kind == "task_submitted" and "refused" in data and "." not in task
    }
    wanted = {order: "task_failed" if order in refused else "task_completed" for order in orders}
    made = {path.parts[-3] for path in (state / "workspaces").rglob("files/out.txt")}
    planned = {task for task, kind, data in events if kind == "plan_made" and '"source":"model"' in data}
    return {
        "rounds": ROUNDS,
        "killed_while_starting": attacker.killed_in_start,
        "accepted": len(attacker.accepted),
        "orders": len(orders),
        "steps": len(steps),
        "lost": len(attacker.accepted - orders) + sum(_ends(kinds, order) == 0 for order in orders),
        "ended_twice": sum(_ends(kinds, task) > 1 for task in [*orders, *steps]),
        "planned_by_claude": len(planned),
        "refused": len(refused),
        "ended_wrongly": sum(kinds[order, end] != 1 for order, end in wanted.items()),
        "files_missing": len(planned - made),
        "told_twice": sum(count > 1 for count in notices.values()),
        "never_told": sum(notices[order] == 0 for order in orders),
        "tools_run_twice": sum(kinds[step, "tools_used"] > 1 for step in steps),
        "plans_stored_twice": sum(kinds[order, "plan_made"] > 1 for order in orders),
        "rolled_back": sum(kinds[order, "rollback_started"] for order in orders),
        "answers_stored_twice": sum(count > (2 if "writes" in steps[step] else 1) for step, count in answers.items()),
        "model_calls": sum(calls.values()),
        "repeated_calls": sum(max(0, calls[prompt] - answers[step]) for step, prompt in steps.items()),
        # A call is made again only after the process died with the step at work, which shows as another start.
        "unexplained_calls": sum(
            calls[prompt] - answers[step] > max(0, kinds[step, "task_started"] - 1)
            for step, prompt in steps.items()
            if kinds[step, "task_cancelled"] == 0
        ),
    }


def _ends(kinds: Counter, task: str) -> int:
    return sum(kinds[task, kind] for kind in _ENDS)


def _instruction(text: str) -> str:
    return text.strip().removeprefix("<instruction>\n").removesuffix("\n</instruction>")


@pytest.mark.timeout(1200)
async def test_every_accepted_order_ends_exactly_once(tmp_path, capsys):
    state = tmp_path / "state"
    state.mkdir()
    async with MessagesApi(latency_seconds=0.02).serving() as api:
        api.script = claude
        attacker = Attacker(state, api, random.Random(SEED))
        for _ in range(ROUNDS):
            await attacker.round()
        process = attacker.start()
        async with httpx2.AsyncClient(base_url=await attacker.url(), timeout=30) as http:

            async def all_ended() -> bool:
                status = (await http.get("/v1/status")).json()
                return not ({"submitted", "running"} & status["orders"].keys()) and status["outbox"] == 0

            async def all_told() -> bool:
                queues = (await http.get("/v1/status")).json()["queues"]
                return not any(queue["ready"] + queue["unacknowledged"] + queue["delayed"] for queue in queues)

            await eventually(all_ended, within_seconds=300, every_seconds=0.2)
            await eventually(all_told, within_seconds=60, every_seconds=0.2)
        counts = judge(state, api, attacker)
        process.kill()
        process.join()
    with capsys.disabled():
        print(f"\ncrash test, seed {SEED}: " + ", ".join(f"{name} {count}" for name, count in counts.items()))
    assert counts["accepted"] >= ROUNDS
    assert counts["planned_by_claude"] >= ROUNDS / 10
    assert counts["rolled_back"] == counts["refused"]
    wrong = (
        "lost", "ended_twice", "ended_wrongly", "told_twice", "never_told", "files_missing", "tools_run_twice",
        "plans_stored_twice", "answers_stored_twice", "unexplained_calls",
    )  # fmt: skip
    assert {name: counts[name] for name in wrong} == dict.fromkeys(wrong, 0)
