"""The gateway as a process of its own."""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import structlog

from aicompany.ports.cluster import groups_of_company
from aicompany.spec.company import AICompany
from aicompany_desk.assembly.door import announce, gateway_ports
from aicompany_desk.assembly.loops import loops_of_company, loops_of_process, overload_loop, running
from aicompany_desk.assembly.parts import assemble
from aicompany_desk.assembly.status import describe_company
from aicompany_desk.gateway.app import build_app
from aicompany_desk.gateway.token import token_of
from aicompany_desk.processes.needs import need_servers
from aicompany_workers.http_server import serve
from aicompany_workers.store.state_directory import StateDirectory
from aicompany_workers.telemetry.logs import write_logs_to_stdout

log = structlog.get_logger()


@asynccontextmanager
async def run_gateway(
    company: AICompany, state_path: Path, *, environment: Mapping[str, str] | None = None
) -> AsyncIterator[str]:
    """The door, open until the context ends; gives its address.

    Raises `ServersMissing`, `AddressInUse`, `StateUnusable` and what the servers raise.
    """
    need_servers(company.spec)
    write_logs_to_stdout(company.spec.logging)
    environment = os.environ if environment is None else environment
    state = StateDirectory(state_path)
    state.make()
    gateway = company.spec.gateway
    async with AsyncExitStack() as stack:
        assembly = await stack.enter_async_context(assemble(company, state, environment, group="gateway"))
        ports = gateway_ports(
            assembly, lambda: describe_company(assembly, asks_model=False), token_of(gateway, environment)
        )
        watching = overload_loop(assembly, groups_of_company(company.spec), reporting=None)
        loops = loops_of_process(assembly) | loops_of_company(assembly) | {"overload": watching}
        await stack.enter_async_context(running(loops))
        app = build_app(company.spec, ports)
        url = await stack.enter_async_context(serve(app, host=gateway.host, port=gateway.port, what="gateway"))
        stack.callback(ports.closing.set)
        announce(state, company, url, stack)
        log.info("gateway.started", process=assembly.process, url=url)
        yield url
        log.info("gateway.stopping", process=assembly.process)
