"""The cluster: where workers run."""

from dataclasses import dataclass
from typing import Protocol

from aicompany.spec.company import CompanySpec
from aicompany.spec.workers import WorkerSpec


@dataclass(frozen=True, slots=True, order=True)
class WorkerGroup:
    """Workers that are alike: a role and, for task workers, an agent."""

    role: str
    agent: str | None = None

    def __str__(self) -> str:
        return f"{self.role}.{self.agent}" if self.agent else self.role


def groups_of_company(spec: CompanySpec) -> dict[WorkerGroup, WorkerSpec]:
    """The groups of workers the company should have, with the numbers of each."""
    roles = {
        WorkerGroup("pm"): spec.workers.pm,
        WorkerGroup("result"): spec.workers.result,
        WorkerGroup("dialog"): spec.workers.dialog,
    }
    agents = {WorkerGroup("task", agent.name): agent.workers or spec.workers.task for agent in spec.agents}
    return roles | agents


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """One worker as the cluster sees it."""

    name: str
    group: WorkerGroup
    ready: bool
    restarts: int
    in_flight: int | None
    """Messages it works on; `None` when it did not say."""
    health_url: str | None


class Cluster(Protocol):
    """Runs as many workers of each group as it is told, and replaces those that die."""

    async def workers(self) -> list[WorkerStatus]:
        """All workers now."""

    def replicas(self, group: WorkerGroup) -> int:
        """Workers of the group that are to stay, as `scale` was last told."""

    async def scale(self, group: WorkerGroup, replicas: int) -> None:
        """Have this many. Fewer: idle ones go first, a busy one finishes before it goes."""
