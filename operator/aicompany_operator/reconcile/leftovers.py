"""Places on servers that could not be removed with their company, in a ConfigMap of the operator's namespace."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import structlog

from aicompany_operator.kubernetes_api.client import KubernetesApi
from aicompany_operator.kubernetes_api.resources import CONFIG_MAP
from aicompany_operator.names import FIELD_MANAGER, CompanyRef
from aicompany_operator.reconcile.places import Places
from aicompany_operator.servers.errors import ServerRefused, ServerUnreachable

log = structlog.get_logger()

LEFTOVERS = "aicompany-leftovers"


class Leftovers:
    """The list, and what is done about it. One process has one; its changes wait for each other."""

    def __init__(self, api: KubernetesApi, namespace: str, places: Mapping[str, Places]) -> None:
        self._api = api
        self._namespace = namespace
        self._places = places
        self._change = asyncio.Lock()

    async def add(self, company: CompanyRef, servers: tuple[str, ...]) -> None:
        """Note on which servers something is left. Raises `ApiUnavailable`, `ApiRefused`, `NotLeading`."""
        entry = {"namespace": company.namespace, "name": company.name, "uid": company.uid, "servers": list(servers)}
        async with self._change:
            # By uid: a company of the same name may have left something before, with a mark of its own.
            await self._write(await self._read() | {company.uid: json.dumps(entry)})

    async def remove_what_can_be(self) -> int:
        """Try them all once; how many are gone now. Raises as `add`."""
        async with self._change:
            known = await self._read()
            gone = {name for name, text in known.items() if await self._is_gone(json.loads(text))}
            if gone:
                await self._write({name: text for name, text in known.items() if name not in gone})
            return len(gone)

    async def clear(self, company: CompanyRef) -> None:
        """Before a company takes the name of deleted ones: their places must be gone.

        Raises `ServerUnreachable`, `ServerRefused`, and as `add`.
        """
        async with self._change:
            known = await self._read()
            before = {name: entry for name, text in known.items() if _was_before(company, entry := json.loads(text))}
            for entry in before.values():
                await self._remove(entry)
            if before:
                await self._write({name: text for name, text in known.items() if name not in before})

    async def _is_gone(self, entry: Mapping[str, Any]) -> bool:
        try:
            await self._remove(entry)
        except (ServerUnreachable, ServerRefused):
            return False
        log.info("leftover.removed", company=f"{entry['namespace']}/{entry['name']}")
        return True

    async def _remove(self, entry: Mapping[str, Any]) -> None:
        company = CompanyRef(entry["namespace"], entry["name"], entry["uid"])
        for server in entry["servers"]:
            if server in self._places:
                await self._places[server].remove(company)

    async def _read(self) -> dict[str, str]:
        kept = await self._api.get(CONFIG_MAP, self._namespace, LEFTOVERS)
        return dict((kept or {}).get("data") or {})

    async def _write(self, entries: Mapping[str, str]) -> None:
        manifest = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": LEFTOVERS,
                "namespace": self._namespace,
                "labels": {"app.kubernetes.io/managed-by": FIELD_MANAGER},
            },
            "data": dict(entries),
        }
        await self._api.apply(CONFIG_MAP, manifest)


def _was_before(company: CompanyRef, entry: Mapping[str, Any]) -> bool:
    """Whether another company of the same name left it."""
    is_namesake = (entry["namespace"], entry["name"]) == (company.namespace, company.name)
    return bool(is_namesake and entry["uid"] != company.uid)
