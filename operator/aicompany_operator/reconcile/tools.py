"""What a reconcile works with: the cluster, the servers, and what was watched."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from aicompany.observation import Unknown
from aicompany.ports.cluster import WorkerGroup
from aicompany_operator.kubernetes_api.client import KubernetesApi
from aicompany_operator.names import CompanyRef
from aicompany_operator.observed.child import Child
from aicompany_operator.observed.seen import KeyState, SeenPod
from aicompany_operator.reconcile.leftovers import Leftovers
from aicompany_operator.reconcile.places import Places
from aicompany_operator.settings import Settings


class Depths(Protocol):
    """How many messages wait."""

    async def of(self, company: CompanyRef, groups: Iterable[WorkerGroup]) -> dict[WorkerGroup, int] | Unknown:
        """By group of workers; `Unknown` with the reason when it could not be read."""


class Watched(Protocol):
    """What the watches hold."""

    def children(self, company: CompanyRef) -> Iterable[Child]:
        """Objects that bear the company's label, whoever owns them."""

    def pods(self, company: CompanyRef) -> Iterable[SeenPod]:
        """The company's pods."""

    def secret_version(self, namespace: str, name: str) -> str | None:
        """The version of any Secret; `None` when there is none."""


@dataclass(frozen=True, slots=True)
class Tools:
    """Everything outside, each behind its door."""

    settings: Settings
    api: KubernetesApi
    watched: Watched
    places: Mapping[str, Places]
    """By server: `broker`, `store`; the operator has none of those that are missing."""
    leftovers: Leftovers
    depths: Depths | None
    reach: Callable[[str], Awaitable[None]]
    """Whether a server listens at an address. Raises `ServerUnreachable`."""
    check_key: Callable[[str | None, str], Awaitable[KeyState]]
    """Whether the model's service at this address (`None`: its own) takes this key."""
    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    draw_password: Callable[[], str]
