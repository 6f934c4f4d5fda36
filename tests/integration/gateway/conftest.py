"""The gateway alone: real HTTP, a real store, a real queue, and nobody who works."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
from prometheus_client import CollectorRegistry

from aicompany.spec.company import CompanySpec
from aicompany_desk.gateway.app import build_app
from aicompany_desk.gateway.ports import GatewayPorts
from aicompany_workers.broker.embedded import EmbeddedBroker
from aicompany_workers.clock import RandomIds, SystemClock
from aicompany_workers.compose import topology_of_company
from aicompany_workers.http_server import serve
from aicompany_workers.store.sqlite.database import SqliteDatabase
from aicompany_workers.store.sqlite.event_store import SqliteEventStore
from aicompany_workers.store.sqlite.migrations import migrate
from aicompany_workers.store.sqlite.outbox import SqliteOutbox
from aicompany_workers.store.sqlite.queries import SqliteQueries


@dataclass
class Door:
    """The gateway from outside (`http`) and from inside."""

    http: httpx2.AsyncClient
    ports: GatewayPorts
    store: SqliteEventStore
    broker: EmbeddedBroker
    refuses_low_orders: bool = False


@pytest.fixture
def spec() -> CompanySpec:
    """Small limits; a module may bring its own."""
    return CompanySpec.model_validate({"queues": {"lengthMax": 2}})


@pytest.fixture
async def door(tmp_path: Path, spec: CompanySpec) -> AsyncIterator[Door]:
    """A gateway on a free port."""
    migrate(tmp_path / "company.db")
    clock = SystemClock()
    database = await SqliteDatabase(tmp_path / "company.db").open()
    store = SqliteEventStore(database, clock)
    broker = await EmbeddedBroker(database, clock).open()
    await broker.declare(topology_of_company(spec))

    async def describe() -> dict[str, object]:
        return {"company": "acme", "running": True}

    ports = GatewayPorts(
        store=store,
        queries=SqliteQueries(database, clock),
        broker=broker,
        clock=clock,
        ids=RandomIds(),
        token=None,
        refuses_low_orders=lambda: door.refuses_low_orders,
        describe=describe,
        backlog=SqliteOutbox(database, store).count,
        registry=CollectorRegistry(),
    )
    async with (
        serve(build_app(spec, ports), host="127.0.0.1", port=0, what="gateway") as url,
        httpx2.AsyncClient(base_url=url, timeout=10) as http,
    ):
        door = Door(http, ports, store, broker)
        yield door
        ports.closing.set()
    await broker.close()
    await database.close()
