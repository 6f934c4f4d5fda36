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

import httpx2
import pytest
from tests.crash.victim import live
from tests.messages_api.server import MessagesApi
from tests.waiting import eventually

ROUNDS = int(os.environ.get("CRASH_ROUNDS", "200"))
SEED = int(os.environ.get("CRASH_SEED", "20261120"))
ORDERS_A_ROUND = 5
LIFE_SECONDS_MAX = 1.0

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
                    answer = await http.post("/v1/tasks", json={"prompt": self._prompt()})
                    assert answer.status_code == 202, answer.text
                    self.accepted.add(answer.json()["id"])

    async def round(self) -> None:
        process = self.start()
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

    def _prompt(self) -> str:
        self.number += 1
        if self.number % 3 == 0:
            return json.dumps([f"order {self.number} part {part}" for part in range(3)])
        return f"order {self.number}"


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
    calls = Counter(body["messages"][0]["content"][-1]["text"].strip() for body in api.requests)
    calls = Counter({_instruction(text): count for text, count in calls.items()})
    return {
        "rounds": ROUNDS,
        "killed_while_starting": attacker.killed_in_start,
        "accepted": len(attacker.accepted),
        "orders": len(orders),
        "steps": len(steps),
        "lost": len(attacker.accepted - orders) + sum(_ends(kinds, order) == 0 for order in orders),
        "ended_twice": sum(_ends(kinds, task) > 1 for task in [*orders, *steps]),
        "not_completed": sum(kinds[order, "task_completed"] != 1 for order in orders),
        "told_twice": sum(count > 1 for count in notices.values()),
        "never_told": sum(notices[order] == 0 for order in orders),
        "answers_stored_twice": sum(kinds[step, "model_answered"] != 1 for step in steps),
        "model_calls": sum(calls.values()),
        "repeated_calls": sum(calls[prompt] - 1 for prompt in steps.values()),
        "unexplained_calls": sum(calls[prompt] > kinds[step, "task_started"] for step, prompt in steps.items()),
    }


def _ends(kinds: Counter, task: str) -> int:
    return sum(kinds[task, kind] for kind in _ENDS)


def _instruction(text: str) -> str:
    return text.removeprefix("<instruction>\n").removesuffix("\n</instruction>")


@pytest.mark.timeout(1200)
async def test_every_accepted_order_ends_exactly_once(tmp_path, capsys):
    state = tmp_path / "state"
    state.mkdir()
    async with MessagesApi(latency_seconds=0.02).serving() as api:
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
    wrong = ("lost", "ended_twice", "not_completed", "told_twice", "never_told", "answers_stored_twice")
    assert {name: counts[name] for name in (*wrong, "unexplained_calls")} == dict.fromkeys(
        (*wrong, "unexplained_calls"), 0
    )
