"""Where a company is tried: what it runs on, and what faults it can meet there."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults.injection import Broker
from tests.faults.model_api import LedgerApi
from tests.faults.processes import Seat, faketime_library
from tests.faults.proxy import FaultyProxy
from tests.faults.schedule import MODEL_CARDS, Card, Kind, Server, process_cards
from tests.faults.stores import Records, SqliteRecords
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
