"""A company is deleted: its pods first, then its places on the servers, and the rest goes with the resource."""

import asyncio
from typing import Any

import structlog

from aicompany_operator.kubernetes_api.errors import ApiRefused
from aicompany_operator.kubernetes_api.resources import DEPLOYMENT, POD
from aicompany_operator.names import LABEL_COMPANY, CompanyRef
from aicompany_operator.reconcile.places import Places
from aicompany_operator.reconcile.tools import Tools
from aicompany_operator.servers.errors import ServerRefused, ServerUnreachable

log = structlog.get_logger()

_PODS_GRACE_SECONDS = 5
_PODS_LOOKS = 8
"""A second apart; then pods that are still there go without grace."""
_SERVERS_SECONDS = 12.0
"""A server that is away may not hold the deletion up; what is left is noted, and removed when it is back."""
_PAUSE_SECONDS = 1.0


async def clean_up(company: CompanyRef, tools: Tools) -> tuple[str, ...]:
    """Take everything away that does not go with the resource; the servers where something had to be left.

    Idempotent. Raises `ApiUnavailable`, `NotLeading`.
    """
    await _delete_deployments(company, tools)
    left = await asyncio.gather(*(_removed(name, places, company) for name, places in tools.places.items()))
    await _hurry_pods(company, tools)
    servers = tuple(name for name in left if name is not None)
    if servers:
        await tools.leftovers.add(company, servers)
    return servers


async def _delete_deployments(company: CompanyRef, tools: Tools) -> None:
    for child in tools.watched.children(company):
        if child.key.kind == DEPLOYMENT.kind and child.owner == company.uid:
            await _unless_refused(tools.api.delete(DEPLOYMENT, company.namespace, child.key.name))


async def _hurry_pods(company: CompanyRef, tools: Tools) -> None:
    """Work in hand is of no use any more: pods get a few seconds, not the time to drain.

    Not before the garbage collector had a moment for their ReplicaSets, which would make new ones.
    """
    await _delete_pods(company, tools, grace_seconds=_PODS_GRACE_SECONDS)
    for _ in range(_PODS_LOOKS):
        if not list(tools.watched.pods(company)):
            return
        await asyncio.sleep(_PAUSE_SECONDS)
    # A kubelet may keep to the grace that it was told first, which is the time to drain.
    await _delete_pods(company, tools, grace_seconds=0)


async def _delete_pods(company: CompanyRef, tools: Tools, *, grace_seconds: int) -> None:
    selector = f"{LABEL_COMPANY}={company.name}"
    await _unless_refused(tools.api.delete_all(POD, company.namespace, selector, grace_seconds=grace_seconds))


async def _unless_refused(call: Any) -> None:  # noqa: ANN401 - a call under way
    try:
        await call
    except ApiRefused as refused:
        log.warning("deletion.refused", why=str(refused))


async def _removed(name: str, places: Places, company: CompanyRef) -> str | None:
    """`None` when nothing is left there, the server's name otherwise."""
    why = "no answer in time"
    try:
        async with asyncio.timeout(_SERVERS_SECONDS):
            while True:
                try:
                    await places.remove(company)
                except (ServerUnreachable, ServerRefused) as error:
                    why = str(error)
                    await asyncio.sleep(_PAUSE_SECONDS)
                else:
                    return None
    except TimeoutError:
        log.warning("deletion.left", company=str(company), server=name, why=why)
        return name
