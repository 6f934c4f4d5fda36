"""Where a company is tried: what it runs on, and what faults it can meet there."""

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.faults.injection import Broker
from tests.faults.model_api import LedgerApi
from tests.faults.processes import Seat, faketime_library
from tests.faults.proxy import FaultyProxy
from tests.faults.rabbit import RabbitOfTheCompany
from tests.faults.schedule import MODEL_CARDS, SERVER_CARDS, Card, Kind, Server, process_cards
from tests.faults.stores import PostgresRecords, Records, SqliteRecords
from tests.servers.postgres import postgres_server
from tests.servers.rabbitmq import rabbitmq_server
from tests.servers.redis import redis_server
from tests.servers.server import Server as RealServer
from tests.servers.server import free_port

DRAIN_SECONDS = 8.0


@dataclass(frozen=True, slots=True)
class Ground:
    """Everything that stands before the first process starts."""

    seats: tuple[Seat, ...]
    gateway_url: str
    records: Records
    states: tuple[Path, ...]
    """State directories in which results and notices may be."""
    environment: dict[str, str]
    proxies: dict[str, FaultyProxy]
    deck: tuple[Card, ...]
    servers: dict[str, RealServer] = field(default_factory=dict)
    broker: Broker | None = None
    idle_queues: tuple[str, ...] = ()
    """Queues that hold nothing while no critical order is open."""


def clock_cards(*roles: str) -> tuple[Card, ...]:
    """Clocks that jump, where libfaketime is installed."""
    return tuple(Card(Kind.CLOCK, role, 5) for role in roles) if faketime_library() else ()


def company_spec(gateway_port: int, **sections: Any) -> dict[str, Any]:
    """The company: patient, because faults come every two seconds, and quick to find out that something is gone."""
    quick = {"failuresMax": 5, "openSeconds": 1}
    return {
        "apiVersion": "aicompany.io/v1alpha1",
        "kind": "AICompany",
        "metadata": {"name": "tried"},
        "spec": {
            "gateway": {"port": gateway_port},
            "model": {"timeoutSeconds": 5},
            "queues": {"deliveriesMax": 1000},
            "retry": {"attemptsMax": 100, "delaySeconds": 0.2, "factor": 1.5, "delaySecondsMax": 2},
            "breakers": dict.fromkeys(("model", "broker", "store", "cache", "integrations"), quick),
            "workers": {"drainSeconds": DRAIN_SECONDS},
            **sections,
        },
    }


@asynccontextmanager
async def one_machine(place: Path, api: LedgerApi) -> AsyncIterator[Ground]:
    """One process with the embedded broker and SQLite; only the model is reached over a network."""
    port = free_port()
    file, state = place / "company.yaml", place / "state"
    file.write_text(json.dumps(company_spec(port)))  # JSON is YAML
    proxy = FaultyProxy(Server.MODEL, int(api.url.rpartition(":")[2]))
    await proxy.start()
    try:
        yield Ground(
            seats=(Seat("company", "company", ("up", str(file), "--state", str(state)), has_own_clock=True),),
            gateway_url=f"http://127.0.0.1:{port}",
            records=SqliteRecords(state / "company.db"),
            states=(state,),
            environment={"ANTHROPIC_BASE_URL": f"http://127.0.0.1:{proxy.port}"},
            proxies={Server.MODEL: proxy},
            deck=(*MODEL_CARDS, *process_cards(["company"]), *clock_cards("company")),
        )
    finally:
        await proxy.close()


@asynccontextmanager
async def over_servers(place: Path, api: LedgerApi) -> AsyncIterator[Ground]:
    """Six processes over RabbitMQ, PostgreSQL and Redis, each server behind a proxy. Raises `ServerMissing`."""
    async with AsyncExitStack() as stack:
        # Not below `place`: PostgreSQL runs as another user, and pytest keeps its directories to one.
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="aicompany-faults-")))
        rabbit = rabbitmq_server(_made(home / "rabbitmq"))
        servers: dict[str, RealServer] = {
            Server.BROKER: rabbit,
            Server.STORE: postgres_server(_made(home / "postgres")),
            Server.CACHE: redis_server(_made(home / "redis")),
        }
        for server in servers.values():
            stack.push_async_callback(asyncio.to_thread, server.end)
        await asyncio.gather(*(asyncio.to_thread(server.start) for server in servers.values()))
        urls = {name: server.url for name, server in servers.items()} | {Server.MODEL: api.url}
        urls[Server.BROKER] = await asyncio.to_thread(rabbit.add_vhost, "tried")
        proxies = {name: FaultyProxy(name, urlsplit(url).port or 0) for name, url in urls.items()}
        for proxy in proxies.values():
            await proxy.start()
            stack.push_async_callback(proxy.close)
        behind = {name: _moved(url, proxies[name].port) for name, url in urls.items()}
        file, state, port = place / "company.yaml", place / "state", free_port()
        company = company_spec(
            port,
            broker={"url": behind[Server.BROKER], "heartbeatSeconds": 4, "connectTimeoutSeconds": 3},
            store={"url": behind[Server.STORE]},
            cache={"url": behind[Server.CACHE]},
        )
        file.write_text(json.dumps(company))  # JSON is YAML
        yield Ground(
            seats=_seats(file, state),
            gateway_url=f"http://127.0.0.1:{port}",
            records=PostgresRecords(urls[Server.STORE]),
            states=(state,),
            environment={"ANTHROPIC_BASE_URL": behind[Server.MODEL]},
            proxies=proxies,
            deck=(
                *MODEL_CARDS,
                *SERVER_CARDS,
                *process_cards(["gateway", "pm", "task", "result", "dialog"]),
                *clock_cards("pm", "task"),
            ),
            servers=servers,
            broker=RabbitOfTheCompany(urls[Server.BROKER], urls[Server.STORE]),
            idle_queues=("pm.critical", "task.generalist.critical", "result.critical"),
        )


def _seats(file: Path, state: Path) -> tuple[Seat, ...]:
    tail = (str(file), "--state", str(state))
    return (
        Seat("gateway", "gateway", ("gateway", *tail)),
        Seat("pm", "pm", ("worker", "pm", *tail), has_own_clock=True),
        Seat("task-1", "task", ("worker", "task", *tail)),
        Seat("task-2", "task", ("worker", "task", *tail), has_own_clock=True),
        Seat("result", "result", ("worker", "result", *tail)),
        Seat("dialog", "dialog", ("worker", "dialog", *tail)),
    )


def _made(directory: Path) -> Path:
    directory.mkdir()
    return directory


def _moved(url: str, port: int) -> str:
    """The same address behind another port."""
    parts = urlsplit(url)
    user, at, _ = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{user}{at}127.0.0.1:{port}").geturl()
