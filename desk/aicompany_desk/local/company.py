"""A company at work on this machine: everything started in order, watched, and stopped in order."""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import structlog

from aicompany.ports.cluster import groups_of_company
from aicompany.spec.company import AICompany
from aicompany_desk.assembly.door import announce, gateway_ports
from aicompany_desk.assembly.loops import loops_of_company, loops_of_process, overload_loop, running
from aicompany_desk.assembly.parts import Assembly, assemble
from aicompany_desk.assembly.status import describe_company
from aicompany_desk.gateway.app import build_app
from aicompany_desk.gateway.ports import GatewayPorts
from aicompany_desk.gateway.token import token_of
from aicompany_desk.local.cluster import LocalCluster
from aicompany_desk.local.scaling import ScalingLoop
from aicompany_workers.compose import Parts, build_worker
from aicompany_workers.http_server import serve
from aicompany_workers.store.state_directory import StateDirectory
from aicompany_workers.telemetry.logs import write_logs_to_file

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

    Raises `StateUnusable`, `AddressInUse`, what the servers it names raise, and what the choice of the model raises,
    before anything is at work.
    """
    environment = os.environ if environment is None else environment
    state = StateDirectory(state_path)
    async with AsyncExitStack() as stack:
        state.acquire()
        stack.callback(state.release)
        write_logs_to_file(state.log_file, company.spec.logging)
        assembly = await stack.enter_async_context(assemble(company, state, environment, group="company"))
        parts = assembly.parts
        groups = groups_of_company(company.spec)
        cluster = LocalCluster(
            lambda group, name: build_worker(parts, group, groups[group], name), company.spec.health, parts.metrics
        )
        parts.load.in_flight, parts.load.capacity = cluster.in_flight, cluster.capacity
        scaling = ScalingLoop(cluster, parts.broker, groups, company.spec.scaling, parts.clock)
        ports = _gateway_ports(assembly, cluster, scaling, environment)
        gateway = company.spec.gateway
        watching = overload_loop(assembly, groups, reporting=None)
        beside = {"scaling": scaling.run(), "overload": watching}
        loops = loops_of_process(assembly) | loops_of_company(assembly) | beside
        tasks = await stack.enter_async_context(running(loops))
        stack.push_async_callback(cluster.stop)
        stack.push_async_callback(cluster.drain)
        await scaling.look_once()
        app = build_app(company.spec, ports)
        url = await stack.enter_async_context(serve(app, host=gateway.host, port=gateway.port, what="gateway"))
        stack.callback(ports.closing.set)
        announce(state, company, url, stack)
        log.info("company.started", company=company.metadata.name, url=url, tasks=len(tasks))
        yield LocalCompany(company, state, url, parts, cluster, scaling, parts.model.is_offline)
        log.info("company.stopping", company=company.metadata.name)


def _gateway_ports(
    assembly: Assembly, cluster: LocalCluster, scaling: ScalingLoop, environment: Mapping[str, str]
) -> GatewayPorts:
    async def describe() -> dict[str, Any]:
        workers = [asdict(worker) | {"group": str(worker.group)} for worker in await cluster.workers()]
        decisions = {
            str(group): {"replicas": decision.replicas, "why": decision.reason.summary}
            for group, decision in scaling.decisions.items()
        }
        return await describe_company(assembly) | {"workers": workers, "scaling": decisions}

    return gateway_ports(assembly, describe, token_of(assembly.company.spec.gateway, environment))
