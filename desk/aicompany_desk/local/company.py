"""A company at work on this machine: everything started in order, watched, and stopped in order."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import structlog
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector

from aicompany.messaging.topology import DEAD_QUEUE
from aicompany.ports.model import ModelAnswer
from aicompany.resilience.breaker import Breaker
from aicompany.spec.company import AICompany
from aicompany_desk.gateway.app import build_app
from aicompany_desk.gateway.ports import GatewayPorts
from aicompany_desk.gateway.token import token_of
from aicompany_desk.local.cluster import LocalCluster
from aicompany_desk.local.housekeeping import Housekeeping
from aicompany_desk.local.names import GATEWAY_FILE, NOTICES_FILE
from aicompany_desk.local.scaling import ScalingLoop
from aicompany_workers.broker.embedded import EmbeddedBroker
from aicompany_workers.clock import RandomIds, SystemClock
from aicompany_workers.compose import Parts, build_worker, groups_of_company, topology_of_company
from aicompany_workers.http_server import serve
from aicompany_workers.model.guarded import GuardedModel
from aicompany_workers.model.select import select_model
from aicompany_workers.notify.log import LogNotifier
from aicompany_workers.runtime.dead_letters import DeadLetterKeeper
from aicompany_workers.runtime.deadlines import DeadlineWatch
from aicompany_workers.runtime.failing import Failing
from aicompany_workers.runtime.relay import OutboxRelay
from aicompany_workers.store.sqlite.database import SqliteDatabase
from aicompany_workers.store.sqlite.event_store import SqliteEventStore
from aicompany_workers.store.sqlite.migrations import migrate
from aicompany_workers.store.sqlite.outbox import SqliteOutbox
from aicompany_workers.store.sqlite.queries import SqliteQueries
from aicompany_workers.store.state_directory import StateDirectory
from aicompany_workers.telemetry.logs import write_logs_to_file
from aicompany_workers.telemetry.metrics import WorkerMetrics
from aicompany_workers.tools.workspace import Workspaces

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class LocalCompany:
    """A running company, as those who started it see it."""

    company: AICompany
    state: StateDirectory
    url: str
    """The gateway's address."""
    parts: Parts
    cluster: LocalCluster
    scaling: ScalingLoop
    is_offline: bool


@asynccontextmanager
async def run_company(
    company: AICompany, state_path: Path, *, environment: Mapping[str, str] | None = None
) -> AsyncIterator[LocalCompany]:
    """The company, from its start to the end of the context, when workers finish what they have.

    Raises `StateUnusable`, `AddressInUse` and what the choice of the model raises, before anything is at work.
    """
    environment = os.environ if environment is None else environment
    state = StateDirectory(state_path)
    async with AsyncExitStack() as stack:
        state.acquire()
        stack.callback(state.release)
        write_logs_to_file(state.log_file, company.spec.logging)
        parts, database = await _open_parts(company, state, environment, stack)
        cluster = LocalCluster(
            lambda group, name: build_worker(parts, group, groups[group], name),
            company.spec.health,
            parts.metrics,
        )
        groups = groups_of_company(company.spec)
        scaling = ScalingLoop(cluster, parts.broker, groups, company.spec.scaling, parts.clock)
        outbox = SqliteOutbox(database, _store_of(parts), parts.clock)
        ports = _gateway_ports(company, parts, outbox, cluster, scaling, environment)
        app = build_app(company.spec, ports)
        gateway = company.spec.gateway
        tasks = await stack.enter_async_context(_background(parts, outbox, scaling))
        stack.push_async_callback(cluster.stop)
        stack.push_async_callback(cluster.drain)
        await scaling.look_once()
        url = await stack.enter_async_context(serve(app, host=gateway.host, port=gateway.port, what="gateway"))
        stack.callback(ports.closing.set)
        _announce(state, company, url, stack)
        log.info("company.started", company=company.metadata.name, url=url, tasks=len(tasks))
        yield LocalCompany(company, state, url, parts, cluster, scaling, parts.model.is_offline)
        log.info("company.stopping", company=company.metadata.name)


async def _open_parts(
    company: AICompany, state: StateDirectory, environment: Mapping[str, str], stack: AsyncExitStack
) -> tuple[Parts, SqliteDatabase]:
    spec = company.spec
    clock, ids = SystemClock(), RandomIds()
    metrics = WorkerMetrics(_registry())
    model = GuardedModel(
        select_model(spec.model, environment),
        breaker=Breaker.of(spec.breakers.model),
        concurrency=spec.model.concurrency,
        clock=clock,
        answered=lambda answer: _count(metrics, answer),
    )
    stack.push_async_callback(model.close)
    await asyncio.to_thread(migrate, state.store_file)
    database = await SqliteDatabase(state.store_file, durability=spec.store.durability).open()
    stack.push_async_callback(database.close)
    broker = await EmbeddedBroker(database, clock).open()
    stack.push_async_callback(broker.close)
    await broker.declare(topology_of_company(spec))
    parts = Parts(
        spec=spec,
        store=SqliteEventStore(database, clock),
        queries=SqliteQueries(database, clock),
        broker=broker,
        model=model,
        notifier=LogNotifier(state.path / NOTICES_FILE),
        workspaces=Workspaces(state.workspaces),
        results=state.results,
        clock=clock,
        ids=ids,
        metrics=metrics,
    )
    return parts, database


def _registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


def _count(metrics: WorkerMetrics, answer: ModelAnswer) -> None:
    metrics.model_answered(answer.model, answer.stop_reason.value, answer.usage)


def _store_of(parts: Parts) -> SqliteEventStore:
    if not isinstance(parts.store, SqliteEventStore):
        raise TypeError("the local company keeps its events in SQLite")
    return parts.store


@asynccontextmanager
async def _background(
    parts: Parts, outbox: SqliteOutbox, scaling: ScalingLoop
) -> AsyncIterator[list[asyncio.Task[None]]]:
    """The loops beside the workers; when one of them breaks, the company stops with its error."""
    loops = {
        "relay": OutboxRelay(outbox, parts.broker).run(),
        "dead-letters": DeadLetterKeeper(parts.store, parts.broker, Failing(parts.store)).run(),
        "deadlines": DeadlineWatch(parts.store, parts.queries, parts.clock, parts.ids).run(),
        "scaling": scaling.run(),
        "housekeeping": Housekeeping(_store_of(parts), parts.clock).run(),
    }
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(loop, name=name) for name, loop in loops.items()]
        try:
            yield tasks
        finally:
            for task in tasks:
                task.cancel()


def _gateway_ports(
    company: AICompany,
    parts: Parts,
    outbox: SqliteOutbox,
    cluster: LocalCluster,
    scaling: ScalingLoop,
    environment: Mapping[str, str],
) -> GatewayPorts:
    async def describe() -> dict[str, Any]:
        model = parts.model
        workers = [asdict(worker) | {"group": str(worker.group)} for worker in await cluster.workers()]
        return {
            "company": company.metadata.name,
            "running": True,
            "model": {
                "name": company.spec.model.name,
                "offline": model.is_offline,
                "breaker": model.breaker.circuit.value if isinstance(model, GuardedModel) else None,
            },
            "workers": workers,
            "queues": await _queues(parts),
            "outbox": await outbox.count(),
            "scaling": {
                str(group): {"replicas": decision.replicas, "why": decision.reason.summary}
                for group, decision in scaling.decisions.items()
            },
        }

    return GatewayPorts(
        store=parts.store,
        queries=parts.queries,
        broker=parts.broker,
        clock=parts.clock,
        ids=parts.ids,
        token=token_of(company.spec.gateway, environment),
        describe=describe,
        backlog=outbox.count,
        registry=parts.metrics.registry,
    )


async def _queues(parts: Parts) -> list[dict[str, Any]]:
    """Queues that hold something, and the dead letter queue."""
    shown = []
    for queue in (*topology_of_company(parts.spec).queues, DEAD_QUEUE):
        depth = await parts.broker.depth(queue)
        if depth.ready or depth.unacknowledged or depth.delayed or queue == DEAD_QUEUE:
            shown.append({"queue": queue, **asdict(depth)})
    return shown


def _announce(state: StateDirectory, company: AICompany, url: str, stack: AsyncExitStack) -> None:
    """Write where the gateway is, so that commands find it; forgotten when the company stops."""
    place = state.path / GATEWAY_FILE
    part = place.with_suffix(".part")
    part.write_text(json.dumps({"company": company.metadata.name, "url": url, "pid": os.getpid()}), encoding="utf-8")
    part.replace(place)
    stack.callback(place.unlink, missing_ok=True)
