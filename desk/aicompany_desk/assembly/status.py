"""What a process of the company says of itself and of the company, for `/v1/status` and `/health`."""

from dataclasses import asdict
from typing import Any

from aicompany.errors import BrokerUnavailable
from aicompany.messaging.topology import DEAD_QUEUE
from aicompany_desk.assembly.parts import Assembly
from aicompany_workers.compose import topology_of_company
from aicompany_workers.runtime.heartbeats import SILENT_SECONDS_MAX


async def describe_company(assembly: Assembly, *, asks_model: bool = True) -> dict[str, Any]:
    """The part of the status that is the same in every process.

    A process that does not ask the model itself knows its name, but not how asking it goes.
    """
    company, kept = assembly.company, assembly.servers.kept
    records = await kept.presence.heartbeats(silent_seconds_max=SILENT_SECONDS_MAX)
    return {
        "company": company.metadata.name,
        "running": True,
        "model": {"name": company.spec.model.name} | (_asking(assembly) if asks_model else {}),
        "processes": [asdict(record.heartbeat) | {"at": record.at.isoformat()} for record in records],
        "overload": assembly.parts.overload.status(),
        "breakers": assembly.breakers.statuses(),
        "broker": assembly.parts.broker.describe(),
        "queues": await _queues(assembly),
        "outbox": await kept.outbox.count(),
    }


def _asking(assembly: Assembly) -> dict[str, Any]:
    models = assembly.models
    return {
        "offline": models.plain.is_offline,
        "breaker": models.guarded.breaker.circuit.value,
        "limits": models.limited.describe(),
        "cache": models.kept.describe() if models.kept else None,
    }


async def _queues(assembly: Assembly) -> list[dict[str, Any]]:
    """Queues that hold something, and the dead letter queue; what the broker does not tell is not shown as zero."""
    shown = []
    try:
        for queue in (*topology_of_company(assembly.company.spec).queues, DEAD_QUEUE):
            depth = await assembly.parts.broker.depth(queue)
            if depth.ready or depth.unacknowledged or depth.delayed or queue == DEAD_QUEUE:
                shown.append({"queue": queue, **asdict(depth)})
    except BrokerUnavailable:
        return []
    return shown
