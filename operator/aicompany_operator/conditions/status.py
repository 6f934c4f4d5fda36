"""The status of the resource, from what was seen."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from aicompany.observation import Unknown
from aicompany.ports.cluster import WorkerGroup
from aicompany.spec.company import CompanySpec
from aicompany_operator.conditions.condition import Condition, merged
from aicompany_operator.conditions.credentials import credentials
from aicompany_operator.conditions.degraded import degraded
from aicompany_operator.conditions.progressing import progressing
from aicompany_operator.conditions.ready import ready
from aicompany_operator.conditions.resting import hibernated, paused
from aicompany_operator.names import GATEWAY
from aicompany_operator.observed.seen import Reason, Seen

TRACK = "stable"


@dataclass(frozen=True, slots=True)
class Place:
    """Where the company's parts are: for people who look for them."""

    image: str
    gateway: str
    broker: str
    store: str


def conditions_of(spec: CompanySpec, seen: Seen) -> tuple[Condition, ...]:
    """All conditions."""
    return (
        ready(seen, hibernated=spec.hibernated),
        progressing(seen),
        degraded(seen),
        paused(spec.paused),
        hibernated(seen, spec.hibernated),
        credentials(seen),
    )


def conditions_of_invalid(sentences: Iterable[str]) -> tuple[Condition, ...]:
    """Of a resource that cannot be read: what already runs is left alone."""
    said = "; ".join(sentences)
    return (
        Condition.holds("Ready", False, Reason.SPEC_INVALID, said),
        Condition.holds("Degraded", True, Reason.SPEC_INVALID, said),
    )


def status_of(
    conditions: Iterable[Condition], before: Mapping[str, Any], *, generation: int, now: str
) -> dict[str, Any]:
    """The part of the status that every resource has."""
    return {
        "observedGeneration": generation,
        "conditions": merged(conditions, before.get("conditions", ()), generation=generation, now=now),
    }


def workforce_of(seen: Seen, place: Place) -> dict[str, Any]:
    """The part of the status that tells of groups, depths and places."""
    wanted = sum(seen.groups.values())
    ready_pods = sum(deployment.ready for group, deployment in seen.deployments.items() if group in seen.groups)
    return {
        "groups": [_group(group, wanted, seen) for group, wanted in sorted(seen.groups.items())],
        "workers": f"{ready_pods}/{wanted}",
        "queued": "?" if isinstance(seen.queued, Unknown) else str(sum(seen.queued.values())),
        "track": TRACK,
        "image": place.image,
        "gateway": place.gateway,
        "broker": place.broker,
        "store": place.store,
    }


def _group(group: WorkerGroup, wanted: int, seen: Seen) -> dict[str, Any]:
    deployment = seen.deployments.get(group)
    told: dict[str, Any] = {"name": str(group), "role": group.role}
    if group.agent is not None:
        told["agent"] = group.agent
    told |= {"desired": wanted, "ready": deployment.ready if deployment else 0}
    if group != GATEWAY and not isinstance(seen.queued, Unknown):
        told["queued"] = seen.queued.get(group, 0)
    return told
