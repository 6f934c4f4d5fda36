"""Whole companies, reached as users reach them: over HTTP."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.messages_api.server import MessagesApi
from tests.waiting import eventually

from aicompany.spec.company import AICompany
from aicompany_desk.local.company import LocalCompany, run_company


class Client:
    """A user with HTTP."""

    def __init__(self, http: httpx2.AsyncClient, local: LocalCompany) -> None:
        self.http = http
        self.local = local

    async def order(self, prompt: str, **fields: Any) -> str:
        answer = await self.http.post("/v1/tasks", json={"prompt": prompt, **fields})
        assert answer.status_code == 202, answer.text
        return answer.json()["id"]

    async def task(self, task_id: str) -> dict[str, Any]:
        return (await self.http.get(f"/v1/tasks/{task_id}")).json()

    async def delivered(self, task_id: str, *, run: int = 1, within_seconds: float = 20) -> dict[str, Any]:
        async def probe() -> dict[str, Any] | None:
            task = await self.task(task_id)
            runs = [e["data"]["run"] for e in task["history"] if e["type"] == "result_delivered"]
            return task if run in runs else None

        return await eventually(probe, within_seconds=within_seconds)

    async def events(self, path: str, **headers: str) -> list[dict[str, Any]]:
        async with self.http.stream("GET", path, headers=headers) as response:
            lines = [line async for line in response.aiter_lines()]
        return [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]

    def notices(self) -> list[dict[str, Any]]:
        path = self.local.state.path / "notices.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


Start = Callable[..., AbstractAsyncContextManager[Client]]


@pytest.fixture
async def api() -> AsyncIterator[MessagesApi]:
    """A server that speaks the Messages API."""
    async with MessagesApi().serving() as api:
        yield api


@pytest.fixture(params=["one machine", "servers"])
def servers(request: pytest.FixtureRequest) -> dict[str, dict[str, str]]:
    """The sections of a company's file that say where it keeps its work: the same tests hold for both."""
    if request.param == "one machine":
        return {}
    names = {"broker": "rabbitmq_url", "store": "postgres_url", "cache": "redis_url"}
    return {section: {"url": request.getfixturevalue(name)} for section, name in names.items()}


@pytest.fixture
def start(tmp_path: Path, servers: dict[str, dict[str, str]]) -> Start:
    """Start a company: `start(spec…)` is offline, `start(api=api, …)` asks that server."""

    @asynccontextmanager
    async def started(
        *, api: MessagesApi | None = None, state: Path | None = None, token: str | None = None, **spec: Any
    ) -> AsyncIterator[Client]:
        merged: dict[str, Any] = {"gateway": {"port": 0}, "retry": {"delaySeconds": 0.02}, **spec}
        for section, fields in servers.items():
            merged[section] = {**merged.get(section, {}), **fields}
        merged.setdefault("model", {"provider": "anthropic" if api else "offline"})
        company = AICompany.model_validate(
            {"apiVersion": "aicompany.io/v1alpha1", "kind": "AICompany", "metadata": {"name": "acme"}, "spec": merged}
        )
        environment = {"ANTHROPIC_API_KEY": "sk-test", "ANTHROPIC_BASE_URL": api.url} if api else {}
        if token:
            environment["AICOMPANY_TOKEN"] = token
        async with (
            run_company(company, state or tmp_path / "state", environment=environment) as local,
            httpx2.AsyncClient(base_url=local.url, timeout=30) as http,
        ):
            yield Client(http, local)

    return started
