"""`/health`, `/ready` and `/metrics` of the operator. Healthy means that work goes on, not that a port answers."""

import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from aicompany_operator.leadership import Leadership
from aicompany_operator.names import CompanyRef
from aicompany_operator.reconcile.fleet import Fleet

_LATE_FACTOR = 3.0
"""A company that nobody looked at for three resyncs is forgotten by its loop."""
_LATE_SECONDS_MIN = 120.0


class Turn(Protocol):
    """One company's place in the line."""

    @property
    def ref(self) -> CompanyRef:
        """Whose."""

    @property
    def reconciled_at(self) -> float:
        """Monotonic seconds of its last reconcile that ended."""

    @property
    def is_queued(self) -> bool:
        """Whether it only waits behind others."""

    @property
    def is_ending(self) -> bool:
        """Whether the company is deleted: then nobody looks at it any more."""


def overdue(turns: Iterable[Turn], *, now: float, resync_seconds: float, progressed_at: float) -> list[Turn]:
    """Turns that should have come; all times are monotonic seconds.

    Who waits behind others is not stuck as long as those get on: a server that is away makes each turn long, and to
    begin anew would help nobody.
    """
    allowed = max(resync_seconds * _LATE_FACTOR, _LATE_SECONDS_MIN)
    gets_on = now - progressed_at < _LATE_SECONDS_MIN
    return [
        turn
        for turn in turns
        if now - turn.reconciled_at > allowed and not turn.is_ending and not (turn.is_queued and gets_on)
    ]


@dataclass(frozen=True, slots=True)
class Pulse:
    """What the health is judged by."""

    leadership: Leadership
    fleet: Fleet
    started_at: float
    """Monotonic seconds."""

    def stuck(self) -> list[str]:
        """Companies whose turn is overdue. A process that only waits for the Lease has none."""
        if not self.leadership.is_held:
            return []
        fleet, now = self.fleet, time.monotonic()
        resync = fleet.tools.settings.resync_seconds
        late = overdue(fleet.loops, now=now, resync_seconds=resync, progressed_at=fleet.progressed_at)
        return [str(turn.ref) for turn in late]

    def describe(self) -> dict[str, Any]:
        """For `/health`."""
        return {
            "leading": self.leadership.is_held,
            "companies": len(self.fleet.loops),
            "stuck": self.stuck()[:10],
            "uptime_seconds": round(time.monotonic() - self.started_at, 1),
        }


@asynccontextmanager
async def serving(pulse: Pulse, registry: CollectorRegistry, *, port: int) -> AsyncIterator[int]:
    """Serve on all addresses until the context ends; gives the port. Raises `OSError` when it is taken."""
    app = web.Application()
    app.router.add_get("/health", _health(pulse))
    app.router.add_get("/ready", _ready)
    app.router.add_get("/metrics", _metrics(registry))
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "0.0.0.0", port)  # noqa: S104 - the kubelet asks from outside the pod
        await site.start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


Handler = Callable[[web.Request], Any]


def _health(pulse: Pulse) -> Handler:
    async def health(_: web.Request) -> web.Response:
        told = pulse.describe()
        return web.json_response(told, status=503 if told["stuck"] else 200)

    return health


async def _ready(_: web.Request) -> web.Response:
    # One that waits for the Lease is ready, too: it is there to take over.
    return web.json_response({"ready": True})


def _metrics(registry: CollectorRegistry) -> Handler:
    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return metrics
