"""What the gateway works with."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from prometheus_client import CollectorRegistry

from aicompany.ports.broker import Broker
from aicompany.ports.clock import Clock, IdSource
from aicompany.ports.event_store import CompanyQueries, EventStore


@dataclass(frozen=True, slots=True)
class GatewayPorts:
    """The company as the gateway reaches it."""

    store: EventStore
    queries: CompanyQueries
    broker: Broker | None
    """`None` when no company is running and the store is only looked at."""
    clock: Clock
    ids: IdSource
    token: str | None
    describe: Callable[[], Awaitable[dict[str, Any]]]
    """What the runtime says of itself, for `/v1/status`."""
    backlog: Callable[[], Awaitable[int]]
    """Messages committed but not published yet."""
    registry: CollectorRegistry
    refuses_low_orders: Callable[[], bool] = lambda: False
    """Whether there is so much to do that orders for the low lane are sent away for now."""
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the company stops: open streams end by themselves, so nobody has to wait for them."""
