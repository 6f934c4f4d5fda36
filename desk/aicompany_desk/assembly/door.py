"""The gateway's ports, and where it is found."""

import json
import os
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

from aicompany.spec.company import AICompany
from aicompany_desk.assembly.parts import Assembly
from aicompany_desk.gateway.ports import GatewayPorts
from aicompany_desk.names import GATEWAY_FILE
from aicompany_workers.store.state_directory import StateDirectory


def gateway_ports(
    assembly: Assembly, describe: Callable[[], Awaitable[dict[str, Any]]], token: str | None
) -> GatewayPorts:
    """What the gateway works with."""
    parts = assembly.parts
    return GatewayPorts(
        store=parts.store,
        queries=parts.queries,
        broker=parts.broker,
        clock=parts.clock,
        ids=parts.ids,
        token=token,
        describe=describe,
        backlog=assembly.servers.kept.outbox.count,
        refuses_low_orders=lambda: parts.overload.refuses_low_orders,
        registry=parts.metrics.registry,
    )


def announce(state: StateDirectory, company: AICompany, url: str, stack: AsyncExitStack) -> None:
    """Write where the gateway is, so that commands find it; forgotten when the company stops."""
    place = state.path / GATEWAY_FILE
    part = place.with_suffix(".part")
    part.write_text(json.dumps({"company": company.metadata.name, "url": url, "pid": os.getpid()}), encoding="utf-8")
    part.replace(place)
    stack.callback(place.unlink, missing_ok=True)
