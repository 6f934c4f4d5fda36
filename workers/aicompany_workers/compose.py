"""Putting workers together: the one place where roles meet what they work with."""

from dataclasses import dataclass
from pathlib import Path

from aicompany.errors import DefectError
from aicompany.messaging.topology import QueueLimits, Topology, lane_queues, topology_of
from aicompany.ports.broker import Broker
from aicompany.ports.clock import Clock, IdSource
from aicompany.ports.cluster import WorkerGroup
from aicompany.ports.event_store import CompanyQueries, EventStore
from aicompany.ports.model import Model
from aicompany.ports.notifier import Notifier
from aicompany.resilience.retry import RetryPolicy
from aicompany.spec.company import CompanySpec
from aicompany.spec.workers import WorkerSpec
from aicompany_workers.roles.dialog import DialogRole
from aicompany_workers.roles.orders import Orders
from aicompany_workers.roles.pm import PMRole
from aicompany_workers.roles.result import ResultRole
from aicompany_workers.roles.task import TaskRole
from aicompany_workers.runtime.claims import Claims
from aicompany_workers.runtime.failing import Failing
from aicompany_workers.runtime.handling import Handling
from aicompany_workers.runtime.lane_intake import LaneIntake
from aicompany_workers.runtime.overload import Overload
from aicompany_workers.runtime.role import Role
from aicompany_workers.runtime.worker import Worker
from aicompany_workers.telemetry.facts import Observers
from aicompany_workers.telemetry.load import LoadMeter
from aicompany_workers.telemetry.metrics import WorkerMetrics
from aicompany_workers.tools.workspace import Workspaces


@dataclass(frozen=True, slots=True)
class Parts:
    """What workers work with, each behind its port."""

    spec: CompanySpec
    store: EventStore
    queries: CompanyQueries
    broker: Broker
    model: Model
    """For what must be asked anew each time."""
    cached_model: Model
    """For questions whose answer may be one that was given before."""
    notifier: Notifier
    workspaces: Workspaces
    results: Path
    clock: Clock
    ids: IdSource
    metrics: WorkerMetrics
    load: LoadMeter
    claims: Claims
    overload: Overload


def topology_of_company(spec: CompanySpec) -> Topology:
    """All queues of the company."""
    limits = QueueLimits(length_max=spec.queues.length_max, deliveries_max=spec.queues.deliveries_max)
    return topology_of((agent.name for agent in spec.agents), limits)


def build_role(parts: Parts, name: str) -> Role:
    """The role of this name."""
    orders = Orders(parts.store)
    match name:
        case "pm":
            return PMRole(orders, parts.cached_model, parts.spec, parts.clock)
        case "task":
            return TaskRole(orders, parts.cached_model, parts.spec, parts.workspaces, parts.clock, parts.overload)
        case "result":
            return ResultRole(orders, parts.notifier, parts.workspaces, parts.results)
        case "dialog":
            return DialogRole(parts.store, parts.queries, parts.model, parts.spec, parts.clock)
        case _:
            raise DefectError(f"there is no role {name}")


def build_worker(parts: Parts, group: WorkerGroup, worker: WorkerSpec, name: str) -> Worker:
    """A worker of the group, ready to run."""
    intake = LaneIntake(
        parts.broker,
        lane_queues(group.role, agent=group.agent),
        prefetch=worker.concurrency,
        low_share=parts.spec.workers.low_share,
        paused=lambda: parts.overload.paused_lanes,
    )
    parts.overload.on_change(intake.look_again)
    handling = Handling(
        worker=name,
        role=build_role(parts, group.role),
        store=parts.store,
        broker=parts.broker,
        failing=Failing(parts.store),
        retry_policy=RetryPolicy.of(parts.spec.retry),
        claims=parts.claims,
        observer=Observers((parts.metrics, parts.load)),
    )
    return Worker(
        name,
        group,
        intake=intake,
        handling=handling,
        concurrency=worker.concurrency,
        drain_seconds=parts.spec.workers.drain_seconds,
    )
