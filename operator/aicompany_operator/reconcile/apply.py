"""Making the cluster what the blueprint says; where it is so already, nothing is written."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

import structlog

from aicompany_operator.builders.blueprint import Manifest
from aicompany_operator.kubernetes_api.client import KubernetesApi
from aicompany_operator.kubernetes_api.errors import ApiRefused
from aicompany_operator.kubernetes_api.resources import (
    BY_KIND,
    CONFIG_MAP,
    DEPLOYMENT,
    NETWORK_POLICY,
    SECRET,
    SERVICE_ACCOUNT,
)
from aicompany_operator.names import CompanyRef
from aicompany_operator.observed.child import Child, ChildKey, child_of, controller_of
from aicompany_operator.observed.differences import correction, differences
from aicompany_operator.observed.seen import Reason, Trouble

log = structlog.get_logger()

_PLACES_TOLD = 5
_GROUND = frozenset({CONFIG_MAP.kind, SECRET.kind, SERVICE_ACCOUNT.kind, NETWORK_POLICY.kind})
"""What pods stand on: with somebody else's they would read another's file or have no wall, so none are made."""


@dataclass(slots=True)
class Applied:
    """What came of it."""

    children: dict[ChildKey, Child] = field(default_factory=dict)
    """The company's objects now: those that were written as the API server answered, the others as watched."""
    troubles: list[Trouble] = field(default_factory=list)
    written: int = 0


class Applier:
    """Applies one company's objects."""

    def __init__(self, company: CompanyRef, api: KubernetesApi) -> None:
        self._company = company
        self._api = api

    async def apply(self, wanted: tuple[Manifest, ...], known: Mapping[ChildKey, Child], *, hold: bool) -> Applied:
        """Write what differs, in order, then delete what is no longer wanted.

        `hold`: Deployments that are not there yet are not made; nor are they when what pods stand on cannot be
        made. Raises `ApiUnavailable`, `NotLeading`; what the API server refuses becomes a trouble, and the rest
        goes on.
        """
        applied = Applied(children=dict(known))
        names = set()
        for manifest in wanted:
            key = ChildKey(manifest["kind"], manifest["metadata"]["name"])
            names.add(key)
            if hold and key.kind == DEPLOYMENT.kind and key not in known:
                continue
            troubles = len(applied.troubles)
            try:
                await self._apply_one(key, manifest, known.get(key), applied)
            except ApiRefused as refused:
                applied.troubles.append(_refusal(key, refused))
                if refused.is_terminating:
                    return applied
            hold = hold or (key.kind in _GROUND and len(applied.troubles) > troubles)
        for key, child in known.items():
            if key not in names and child.owner == self._company.uid and not child.is_ending:
                await self._remove(key, child, applied)
        return applied

    async def _apply_one(self, key: ChildKey, manifest: Manifest, child: Child | None, applied: Applied) -> None:
        resource = BY_KIND[key.kind]
        if child is None:
            live = await self._api.get(resource, self._company.namespace, key.name)
            owner = controller_of(live) if live else self._company.uid
        else:
            live, owner = child.manifest, child.owner
        if owner != self._company.uid:
            applied.troubles.append(
                Trouble(
                    Reason.NAME_TAKEN,
                    f"{key.kind} {key.name} is there and not this company's; delete it, or name the company otherwise",
                )
            )
            return
        places = list(differences(manifest, live)) if live else []
        if live and not places:
            return
        answer = await self._api.apply(resource, manifest)
        if any(differences(manifest, answer)):
            patch = cast("Manifest", correction(manifest, answer))
            answer = await self._api.merge(resource, self._company.namespace, key.name, patch)
        applied.children[key] = child_of(answer | {"kind": key.kind})
        applied.written += 1
        log.info(
            "object.applied",
            company=str(self._company),
            object=f"{key.kind}/{key.name}",
            differed=places[:_PLACES_TOLD] if live else "it was not there",
        )

    async def _remove(self, key: ChildKey, child: Child, applied: Applied) -> None:
        resource = BY_KIND.get(key.kind)
        if resource is None:
            return
        uid = child.manifest["metadata"]["uid"]
        await self._api.delete(resource, self._company.namespace, key.name, uid=uid)
        applied.children.pop(key)
        applied.written += 1
        log.info("object.deleted", company=str(self._company), object=f"{key.kind}/{key.name}", why="no longer wanted")


def _refusal(key: ChildKey, refused: ApiRefused) -> Trouble:
    if refused.is_terminating:
        return Trouble(Reason.NAMESPACE_TERMINATING, "the namespace is being deleted, so nothing can be made in it")
    return Trouble(Reason.APPLY_REFUSED, f"the API server refuses {key.kind} {key.name}: {refused}")
