"""All that conditions and status may look at."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from aicompany.observation import Unknown
from aicompany.ports.cluster import WorkerGroup


class Reason(StrEnum):
    """Why something is as it is: one word, stable, for conditions, Events and scripts."""

    SPEC_INVALID = "SpecInvalid"
    SECRET_MISSING = "SecretMissing"  # noqa: S105 - a reason
    KEY_REJECTED = "KeyRejected"
    KEY_ACCEPTED = "KeyAccepted"
    KEY_UNCHECKED = "KeyUnchecked"
    NO_KEY_NEEDED = "NoKeyNeeded"
    BROKER_MISSING = "BrokerMissing"
    STORE_MISSING = "StoreMissing"
    BROKER_UNREACHABLE = "BrokerUnreachable"
    BROKER_REFUSES = "BrokerRefuses"
    STORE_UNREACHABLE = "StoreUnreachable"
    STORE_REFUSES = "StoreRefuses"
    NAME_TAKEN = "NameTaken"
    NAMESPACE_TERMINATING = "NamespaceTerminating"
    PODS_FORBIDDEN = "PodsForbidden"
    APPLY_REFUSED = "ApplyRefused"
    IMAGE_UNAVAILABLE = "ImageUnavailable"
    PODS_CRASHING = "PodsCrashing"
    PODS_STARTING = "PodsStarting"
    PODS_PENDING = "PodsPending"
    CONFIGURATION_UNUSABLE = "ConfigurationUnusable"
    ROLLING = "Rolling"
    SETTLED = "Settled"
    ALL_READY = "AllReady"
    PAUSED = "Paused"
    RUNNING = "Running"
    HIBERNATED = "Hibernated"
    HIBERNATING = "Hibernating"
    AWAKE = "Awake"
    NOTHING_WRONG = "NothingWrong"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that keeps the company from being as it should be."""

    reason: Reason
    message: str
    """A sentence: what is wrong, where, and what would mend it. Never a secret."""


@dataclass(frozen=True, slots=True)
class SeenDeployment:
    """A Deployment's own status."""

    wanted: int
    ready: int
    updated: int
    total: int
    is_observed: bool
    """Whether its controller has seen the newest specification."""
    trouble: Trouble | None = None
    """Why its pods cannot be made."""

    @property
    def is_settled(self) -> bool:
        """Whether all its pods are of the newest specification and ready, and no other one is left."""
        return self.is_observed and self.wanted == self.ready == self.updated == self.total


@dataclass(frozen=True, slots=True)
class SeenPod:
    """A pod, as far as it matters."""

    name: str
    group: WorkerGroup
    is_ready: bool
    is_ending: bool
    restarts: int
    trouble: Trouble | None = None


class KeyState(StrEnum):
    """What is known of the key to the model's service."""

    NOT_NEEDED = "not needed"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    UNCHECKED = "unchecked"
    """The service could not be asked."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One company at one instant."""

    groups: Mapping[WorkerGroup, int]
    """The groups the company should have, the gateway among them, and how many pods of each."""
    deployments: Mapping[WorkerGroup, SeenDeployment]
    pods: tuple[SeenPod, ...]
    key: KeyState
    troubles: tuple[Trouble, ...]
    """What was met while looking and applying, the gravest first: servers, Secrets, names, refusals."""
    queued: Mapping[WorkerGroup, int] | Unknown
    """Messages that wait, by group of workers."""
    applied: int
    """Objects that were written this time."""
