"""One worker process: workers of one role, or of one agent of the task role."""

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import structlog

from aicompany.errors import NotFound
from aicompany.ports.cluster import WorkerGroup, groups_of_company
from aicompany.spec.company import AICompany, CompanySpec
from aicompany_desk.assembly.loops import loops_of_company, loops_of_process, overload_loop, running
from aicompany_desk.assembly.parts import Assembly, assemble
from aicompany_desk.processes.needs import need_servers
from aicompany_workers.compose import build_worker
from aicompany_workers.http_server import serve
from aicompany_workers.runtime.health import health_app
from aicompany_workers.runtime.worker import Worker
from aicompany_workers.store.state_directory import StateDirectory
from aicompany_workers.telemetry.logs import write_logs_to_stdout

log = structlog.get_logger()

_RESTART_SECONDS = 1.0
"""Pause before a worker that could not begin, or broke, is made again."""


def group_of(spec: CompanySpec, role: str, agent: str | None) -> WorkerGroup:
    """The group that is meant. Raises `NotFound` with the names there are."""
    groups = groups_of_company(spec)
    if role == "task" and agent is None:
        agent = spec.fallback_agent.name
    group = WorkerGroup(role, agent)
    if group not in groups:
        agents = ", ".join(agent.name for agent in spec.agents)
        raise NotFound(f"the company has no workers of {group}; its agents are {agents}")
    return group


@asynccontextmanager
async def run_worker(
    company: AICompany, group: WorkerGroup, state_path: Path, *, environment: Mapping[str, str] | None = None
) -> AsyncIterator[str]:
    """The process at work, until the context ends; then it drains. Gives the address of its health.

    Raises `ServersMissing`, `AddressInUse`, what the servers raise and what the choice of the model raises.
    """
    need_servers(company.spec)
    write_logs_to_stdout(company.spec.logging)
    environment = os.environ if environment is None else environment
    health = company.spec.health
    state = StateDirectory(state_path)
    state.make()
    async with assemble(company, state, environment, group=str(group)) as assembly:
        work = WorkerProcess(assembly, group)
        loops = loops_of_process(assembly)
        loops["overload"] = overload_loop(assembly, [group], reporting=str(group))
        if group.role == "pm":
            loops |= loops_of_company(assembly)
        app = health_app(work.describe, lambda: work.is_ready, assembly.parts.metrics.registry)
        async with (
            serve(app, host=health.host, port=health.port, what=f"health of {group}") as url,
            running(loops),
            work.at_work(),
        ):
            log.info("worker.started", process=assembly.process, group=str(group), health=url)
            yield url
            log.info("worker.stopping", process=assembly.process, in_flight=work.in_flight)


class WorkerProcess:
    """The worker of this process, made again when it breaks."""

    def __init__(self, assembly: Assembly, group: WorkerGroup) -> None:
        self._assembly = assembly
        self._group = group
        self._spec = groups_of_company(assembly.company.spec)[group]
        self._worker: Worker | None = None
        self._restarts = 0
        self._draining = False
        load = assembly.parts.load
        load.in_flight, load.capacity = (lambda: self.in_flight), (lambda: self._spec.concurrency)
        assembly.parts.metrics.watch_in_flight(group.role, group.agent, lambda: self.in_flight)

    @property
    def in_flight(self) -> int:
        """Messages it works on."""
        return self._worker.in_flight if self._worker else 0

    @property
    def is_ready(self) -> bool:
        """Whether it takes messages."""
        return self._worker is not None and self._worker.is_ready

    def describe(self) -> dict[str, Any]:
        """For `/health`."""
        return {
            "worker": self._assembly.process,
            "role": self._group.role,
            "agent": self._group.agent,
            "in_flight": self.in_flight,
            "restarts": self._restarts,
            "draining": self._draining,
            "overload": self._assembly.parts.overload.status(),
            "breakers": self._assembly.breakers.statuses(),
            "broker": self._assembly.parts.broker.describe(),
        }

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        """While it is open it works; at the end it drains: nothing new, and what it has is finished or given back."""
        life = asyncio.create_task(self._live(), name=f"worker-{self._group}")
        try:
            yield
        finally:
            self._draining = True
            if self._worker is not None:
                self._worker.drain()
            else:
                life.cancel()
            await asyncio.wait([life])

    async def _live(self) -> None:
        while not self._draining:
            self._worker = build_worker(self._assembly.parts, self._group, self._spec, self._assembly.process)
            try:
                await self._worker.run()
            except asyncio.CancelledError:
                raise
            except BaseExceptionGroup as error:
                self._note_crash(error)
            except Exception as error:  # noqa: BLE001 - whatever ended the worker, its place gets another
                self._note_crash(error)
            if not self._draining:
                await asyncio.sleep(_RESTART_SECONDS)

    def _note_crash(self, error: BaseException) -> None:
        self._restarts += 1
        log.error("worker.crashed", worker=self._assembly.process, restarts=self._restarts, exc_info=error)
