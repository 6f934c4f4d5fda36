"""All that workers work with, opened in order and closed in the opposite one."""

import os
import secrets
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector

from aicompany.ports.clock import Clock
from aicompany.ports.notifier import Notifier
from aicompany.resilience.breaker import Breaker
from aicompany.spec.company import AICompany, CompanySpec
from aicompany_desk.assembly.model import Models, open_models
from aicompany_desk.assembly.servers import Servers, open_servers
from aicompany_desk.names import NOTICES_FILE
from aicompany_workers.breakers import Breakers, GuardedCalls
from aicompany_workers.clock import RandomIds, SystemClock
from aicompany_workers.compose import Parts
from aicompany_workers.notify.guarded import GuardedNotifier
from aicompany_workers.notify.log import LogNotifier
from aicompany_workers.runtime.claims import Claims
from aicompany_workers.runtime.heartbeats import SILENT_SECONDS_MAX, Heartbeats
from aicompany_workers.runtime.overload import Overload
from aicompany_workers.store.state_directory import StateDirectory
from aicompany_workers.telemetry.load import LoadMeter
from aicompany_workers.telemetry.metrics import WorkerMetrics
from aicompany_workers.tools.workspace import Workspaces


@dataclass(frozen=True, slots=True)
class Assembly:
    """One process of a company, before anything in it is at work."""

    company: AICompany
    state: StateDirectory
    process: str
    parts: Parts
    servers: Servers
    models: Models
    heartbeats: Heartbeats
    breakers: Breakers


@asynccontextmanager
async def assemble(
    company: AICompany, state: StateDirectory, environment: Mapping[str, str], *, group: str
) -> AsyncIterator[Assembly]:
    """Open everything. `group` is what the process says of itself in its heartbeats.

    Raises what `open_servers` and the choice of the model raise.
    """
    spec = company.spec
    clock = SystemClock()
    metrics = WorkerMetrics(_registry())
    load = LoadMeter()
    breakers, overload = Breakers(), Overload(spec.overload)
    metrics.registry.register(breakers)
    metrics.registry.register(overload)
    process = process_name()
    async with AsyncExitStack() as stack:
        servers = await stack.enter_async_context(open_servers(spec, state, clock, breakers))
        heartbeats = Heartbeats(servers.kept.presence, clock, process, group, load.take)
        claims = Claims(servers.kept.presence, process, heartbeats, SILENT_SECONDS_MAX)
        models = open_models(
            company,
            environment,
            clock=clock,
            metrics=metrics,
            breakers=breakers,
            process=process,
            claim=claims.take,
            stack=stack,
        )
        parts = Parts(
            spec=spec,
            store=servers.kept.store,
            queries=servers.kept.queries,
            broker=servers.broker,
            model=models.plain,
            cached_model=models.cached,
            notifier=_guarded(LogNotifier(state.path / NOTICES_FILE), spec, clock, breakers),
            workspaces=Workspaces(state.workspaces),
            results=state.results,
            clock=clock,
            ids=RandomIds(),
            metrics=metrics,
            load=load,
            claims=claims,
            overload=overload,
        )
        yield Assembly(company, state, process, parts, servers, models, heartbeats, breakers)


def _guarded(notifier: Notifier, spec: CompanySpec, clock: Clock, breakers: Breakers) -> GuardedNotifier:
    calls = GuardedCalls(f"the notifier {notifier.name}", Breaker.of(spec.breakers.integrations), clock)
    breakers.watch(f"notifier.{notifier.name}", lambda: calls.breaker)
    return GuardedNotifier(notifier, calls)


def process_name() -> str:
    """Of this start of this process, and of no other: host, pid and a few random letters."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"


def _registry() -> CollectorRegistry:
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry
