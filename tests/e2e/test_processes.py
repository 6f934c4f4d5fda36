"""A company of several processes: started one by one, ended one by one, and nothing is done twice."""

import asyncio
import json
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

import httpx2
import pytest
from tests.messages_api.server import MessagesApi
from tests.waiting import eventually

PROGRAM = str(Path(sys.executable).with_name("aicompany"))
COMPANY = {
    "apiVersion": "aicompany.io/v1alpha1",
    "kind": "AICompany",
    "metadata": {"name": "acme"},
    "spec": {
        "gateway": {"port": 0},
        "model": {"provider": "anthropic"},
        "broker": {"heartbeatSeconds": 5},
        "workers": {"drainSeconds": 20},
        "retry": {"delaySeconds": 0.1},
    },
}
ROLES = ("pm", "task", "result", "dialog")


class Processes:
    """The company's processes; each is ended when the test is over."""

    def __init__(self, place: Path, environment: dict[str, str]) -> None:
        self.place = place
        self.state = place / "state"
        self.file = place / "company.yaml"
        self.file.write_text(json.dumps(COMPANY))
        self.environment = environment
        self.started: list[asyncio.subprocess.Process] = []

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        with (self.place / f"{'-'.join(arguments)}-{len(self.started)}.log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                PROGRAM, *arguments, str(self.file), "--state", str(self.state),
                env={**os.environ, **self.environment}, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        self.started.append(process)
        return process

    async def url(self) -> str:
        found = self.state / "gateway.json"
        await eventually(found.exists, within_seconds=30)
        return json.loads(found.read_text())["url"]

    async def end(self) -> None:
        for process in self.started:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


@pytest.fixture
async def api():
    async with MessagesApi().serving() as api:
        yield api


@pytest.fixture
async def processes(tmp_path, api, rabbitmq_url, postgres_url, redis_url):
    environment = {
        "AICOMPANY_BROKER__URL": rabbitmq_url,
        "AICOMPANY_STORE__URL": postgres_url,
        "AICOMPANY_CACHE__URL": redis_url,
        "ANTHROPIC_API_KEY": "sk-test",
        "ANTHROPIC_BASE_URL": api.url,
    }
    processes = Processes(tmp_path, environment)
    yield processes
    await processes.end()


@pytest.fixture
async def http(processes):
    await processes.start("gateway")
    async with httpx2.AsyncClient(base_url=await processes.url(), timeout=30) as client:
        yield client


async def order(http, prompt):
    answer = await http.post("/v1/tasks", json={"prompt": prompt})
    assert answer.status_code == 202, answer.text
    return answer.json()["id"]


async def delivered(http, task_id, *, within_seconds=40):
    async def probe():
        task = (await http.get(f"/v1/tasks/{task_id}")).json()
        return task if any(event["type"] == "result_delivered" for event in task["history"]) else None

    return await eventually(probe, within_seconds=within_seconds)


async def groups(http):
    return sorted(process["group"] for process in (await http.get("/v1/status")).json()["processes"])


def calls_about(api, words):
    return sum(words in json.dumps(body["messages"]) for body in api.requests)


async def test_processes_of_each_role_carry_orders_and_say_that_they_are_there(processes, http, api):
    started = [await processes.start("worker", role) for role in ROLES]
    task = await delivered(http, await order(http, '["first part", "second part"]'))
    assert task["state"] == "completed"
    assert len(api.requests) == 2
    conversation = (await http.post("/v1/conversations", json={})).json()["id"]
    await http.post(f"/v1/conversations/{conversation}/turns", json={"text": "Good morning"})
    async with http.stream("GET", f"/v1/conversations/{conversation}/events?until_turn=1") as told:
        events = [json.loads(line[6:]) async for line in told.aiter_lines() if line.startswith("data: ")]
    assert events[-1]["type"] == "turn_answered"
    assert await groups(http) == ["dialog", "gateway", "pm", "result", "task.generalist"]
    for process in started:
        process.send_signal(signal.SIGTERM)
    assert [await process.wait() for process in started] == [0, 0, 0, 0]
    assert await groups(http) == ["gateway"], "whoever goes in order says goodbye"


async def test_a_worker_told_to_stop_finishes_what_it_has_and_begins_nothing_new(processes, http, api):
    api.latency_seconds = 1.5
    for role in ("pm", "result"):
        await processes.start("worker", role)
    leaving = await processes.start("worker", "task")
    first = await order(http, "order one")
    await eventually(lambda: calls_about(api, "order one") == 1, within_seconds=30)
    leaving.send_signal(signal.SIGTERM)
    late = await order(http, "order two")
    assert await leaving.wait() == 0
    assert (await delivered(http, first))["state"] == "completed"
    assert calls_about(api, "order two") == 0
    await processes.start("worker", "task")
    assert (await delivered(http, late))["state"] == "completed"
    assert (calls_about(api, "order one"), calls_about(api, "order two")) == (1, 1)


async def test_what_a_killed_worker_had_is_done_by_another(processes, http, api):
    api.latency_seconds = 2
    for role in ("pm", "result"):
        await processes.start("worker", role)
    killed = await processes.start("worker", "task")
    task_id = await order(http, "order one")
    await eventually(lambda: calls_about(api, "order one") == 1, within_seconds=30)
    await processes.start("worker", "task")
    killed.kill()
    assert (await delivered(http, task_id))["state"] == "completed"
    assert calls_about(api, "order one") == 2, "asked again, because its process died with the answer"


async def test_a_cut_connection_makes_nobody_do_the_work_again(processes, http, api, rabbitmq):
    api.latency_seconds = 3
    for role in ("pm", "result", "task", "task"):
        await processes.start("worker", role)
    orders = [await order(http, f"order number {n} of ten") for n in range(10)]
    await eventually(lambda: len(api.requests) == 10, within_seconds=30)
    await asyncio.to_thread(rabbitmq.control, "close_all_connections", "cut by a test")
    for number, task_id in enumerate(orders):
        assert (await delivered(http, task_id))["state"] == "completed"
        assert calls_about(api, f"order number {number} of ten") == 1


async def test_without_servers_a_worker_says_what_is_missing(tmp_path):
    file = tmp_path / "company.yaml"
    file.write_text(json.dumps(COMPANY))
    process = await asyncio.create_subprocess_exec(
        PROGRAM, "worker", "pm", str(file), "--state", str(tmp_path / "state"),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, err = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 3
    assert "spec.broker.url (or AICOMPANY_BROKER__URL) and spec.store.url" in err.decode()
    assert "aicompany up" in err.decode()
