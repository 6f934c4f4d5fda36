"""Objects and pods of a company as the watches saw them."""

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aicompany.ports.cluster import WorkerGroup
from aicompany_operator.names import KIND, LABEL_AGENT, LABEL_COMPANY, LABEL_ROLE
from aicompany_operator.observed.seen import Reason, SeenDeployment, SeenPod, Trouble

_CRASHES_MIN = 2
"""A container that ended this often is crashing; once may be a node or a server that went away."""


@dataclass(frozen=True, slots=True, order=True)
class ChildKey:
    """Which object of a namespace."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Child:
    """An object that bears the company's label, packed: thousands of them are kept."""

    key: ChildKey
    owner: str | None
    """The uid of what controls it."""
    is_ending: bool
    packed: bytes

    @property
    def manifest(self) -> dict[str, Any]:
        """The object, without the bookkeeping of its fields' owners."""
        manifest: dict[str, Any] = json.loads(zlib.decompress(self.packed))
        return manifest


def child_of(body: dict[str, Any]) -> Child:
    """From the object as the API server tells it."""
    metadata = {name: value for name, value in body["metadata"].items() if name != "managedFields"}
    key = ChildKey(body["kind"], metadata["name"])
    packed = zlib.compress(json.dumps(body | {"metadata": metadata}).encode(), 1)
    return Child(key, controller_of(body), "deletionTimestamp" in metadata, packed)


def controller_of(body: dict[str, Any]) -> str | None:
    """The uid of the object's controller, `None` when it has none."""
    owners = body["metadata"].get("ownerReferences", ())
    return next((owner["uid"] for owner in owners if owner.get("controller")), None)


def companies_of(metadata: Mapping[str, Any]) -> frozenset[str]:
    """Names of the companies an object has to do with: the one its label names, and the one that owns it.

    They are one and the same, until somebody changes the label by hand.
    """
    labelled = metadata.get("labels", {}).get(LABEL_COMPANY)
    owners = {owner["name"] for owner in metadata.get("ownerReferences", ()) if owner["kind"] == KIND}
    return frozenset(owners | ({labelled} if labelled else set()))


def group_of_labels(labels: dict[str, str]) -> WorkerGroup:
    """The group an object belongs to by its labels."""
    return WorkerGroup(labels.get(LABEL_ROLE, ""), labels.get(LABEL_AGENT))


def seen_deployment(manifest: dict[str, Any]) -> SeenDeployment:
    """A Deployment's status."""
    status, metadata = manifest.get("status", {}), manifest["metadata"]
    return SeenDeployment(
        wanted=manifest["spec"].get("replicas", 1),
        ready=status.get("readyReplicas", 0),
        updated=status.get("updatedReplicas", 0),
        total=status.get("replicas", 0),
        is_observed=status.get("observedGeneration", 0) >= metadata.get("generation", 0),
        trouble=_failure_of(status, metadata["name"]),
    )


def _failure_of(status: dict[str, Any], name: str) -> Trouble | None:
    for condition in status.get("conditions", ()):
        if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
            message = condition.get("message", "no reason was given")
            return Trouble(Reason.PODS_FORBIDDEN, f"the pods of {name} cannot be made: {message}")
    return None


def is_over(body: Mapping[str, Any]) -> bool:
    """Whether a pod has ended for good, by itself or because it was evicted."""
    return body.get("status", {}).get("phase") in {"Failed", "Succeeded"}


def seen_pod(body: dict[str, Any]) -> SeenPod:
    """A pod."""
    metadata, status = body["metadata"], body.get("status", {})
    containers = [*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())]
    conditions = {condition["type"]: condition for condition in status.get("conditions", ())}
    return SeenPod(
        name=metadata["name"],
        group=group_of_labels(metadata.get("labels", {})),
        is_ready=conditions.get("Ready", {}).get("status") == "True",
        is_ending="deletionTimestamp" in metadata,
        restarts=sum(container.get("restartCount", 0) for container in containers),
        trouble=_trouble_of(metadata["name"], containers, conditions),
    )


_IMAGE_REASONS = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"})
_CONFIGURATION_REASONS = frozenset({"CreateContainerConfigError", "CreateContainerError"})


def _trouble_of(name: str, containers: list[dict[str, Any]], conditions: dict[str, dict[str, Any]]) -> Trouble | None:
    for container in containers:
        trouble = _container_trouble(name, container)
        if trouble is not None:
            return trouble
    scheduled = conditions.get("PodScheduled", {})
    if scheduled.get("status") == "False" and scheduled.get("reason") == "Unschedulable":
        return Trouble(Reason.PODS_PENDING, f"no node takes pod {name}: {scheduled.get('message', '')}")
    return None


def _container_trouble(pod: str, container: dict[str, Any]) -> Trouble | None:
    waiting = container.get("state", {}).get("waiting", {})
    reason, message = waiting.get("reason", ""), waiting.get("message", "")
    if reason in _IMAGE_REASONS:
        return Trouble(Reason.IMAGE_UNAVAILABLE, f"image {container['image']} of pod {pod} cannot be had: {message}")
    if reason in _CONFIGURATION_REASONS:
        return Trouble(Reason.CONFIGURATION_UNUSABLE, f"pod {pod} cannot be started: {message}")
    ended = container.get("lastState", {}).get("terminated", {})
    if container.get("restartCount", 0) >= _CRASHES_MIN and not container.get("ready") and ended:
        said = (ended.get("message") or "").strip().splitlines()
        told = f": {said[-1]}" if said else ""
        return Trouble(
            Reason.PODS_CRASHING,
            f"pod {pod} ended {container['restartCount']} times, last with exit code {ended.get('exitCode')}{told}",
        )
    return None
