"""What a process of the company says of itself and of the company, for `/v1/status` and `/health`."""

from dataclasses import asdict
from typing import Any

from aicompany.errors import BrokerUnavailable
from aicompany.messaging.topology import DEAD_QUEUE
from aicompany_desk.assembly.parts import Assembly
from aicompany_workers.compose import topology_of_company
from aicompany_workers.runtime.heartbeats import SILENT_SECONDS_MAX


async def describe_company(assembly: Assembly) -> dict[str, Any]:
    """The part of the status that is the same in every process."""
    company, kept = assembly.company, assembly.servers.kept
    records = await kept.presence.heartbeats(silent_seconds_max=SILENT_SECONDS_MAX)
    return {
        "company": company.metadata.name,
        "running": True,
        "model": {
            "name": company.spec.model.name,
            "offline": assembly.models.plain.is_offline,
            "breaker": assembly.models.guarded.breaker.circuit.value,
            "limits": assembly.models.limited.describe(),
            "cache": assembly.models.kept.describe() if assembly.models.kept else None,
        },
        "processes": [asdict(record.heartbeat) | {"at": record.at.isoformat()} for record in records],
        "overload": assembly.parts.overload.status(),
        "breakers": assembly.breakers.statuses(),
        "broker": assembly.parts.broker.describe(),
        "queues": await _queues(assembly),
        "outbox": await kept.outbox.count(),
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
