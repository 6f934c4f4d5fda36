"""One look at one company: observe, decide, apply, report. A readable list of steps, no rule."""

from collections.abc import Mapping
from dataclasses import dataclass

from aicompany.observation import Unknown
from aicompany.ports.cluster import WorkerGroup, groups_of_company
from aicompany.spec.company import CompanySpec
from aicompany_operator.builders.blueprint import Blueprint
from aicompany_operator.builders.company import build_all
from aicompany_operator.builders.credentials import build_credentials
from aicompany_operator.conditions.status import (
    Place,
    conditions_of,
    conditions_of_invalid,
    status_of,
    workforce_of,
)
from aicompany_operator.kubernetes_api.resources import DEPLOYMENT
from aicompany_operator.names import GATEWAY, deployment_name
from aicompany_operator.observed.child import Child, ChildKey, seen_deployment
from aicompany_operator.observed.seen import Reason, Seen
from aicompany_operator.reconcile.apply import Applied, Applier
from aicompany_operator.reconcile.company import Company
from aicompany_operator.reconcile.credentials import Credentials, CredentialsKeeper
from aicompany_operator.reconcile.memory import Memory
from aicompany_operator.reconcile.report import report, tell
from aicompany_operator.reconcile.tools import Tools

_GATEWAY_PORT = 8700
_HOLDING = frozenset(
    {
        Reason.SECRET_MISSING, Reason.BROKER_MISSING, Reason.STORE_MISSING, Reason.BROKER_UNREACHABLE,
        Reason.STORE_UNREACHABLE, Reason.BROKER_REFUSES, Reason.STORE_REFUSES, Reason.NAME_TAKEN,
    }
)  # fmt: skip
"""With one of these a new pod could only crash or hang, so none is made."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a reconcile."""

    is_well: bool
    written: int


async def reconcile(company: Company, tools: Tools, memory: Memory) -> Outcome:
    """Bring one company closer to what its resource says. Raises `ApiUnavailable`, `ApiRefused`, `NotLeading`."""
    if company.spec is None:
        return await _reconcile_invalid(company, tools, memory)
    spec = company.spec
    keeper = CredentialsKeeper(company.ref, spec, tools, memory)
    credentials = await keeper.collect(may_act=not spec.paused)
    replicas = _replicas(spec)
    blueprint = Blueprint(
        company=company.ref,
        spec=spec,
        image=spec.pods.image or tools.settings.worker_image,
        sources=credentials.sources,
        ports=credentials.ports,
        replicas=replicas,
        credentials=credentials.stamps,
    )
    known = {child.key: child for child in tools.watched.children(company.ref)}
    if spec.paused:
        applied = Applied(children=known)
    else:
        hold = any(trouble.reason in _HOLDING for trouble in credentials.troubles)
        wanted = (build_credentials(company.ref, credentials.own), *build_all(blueprint))
        applied = await Applier(company.ref, tools.api).apply(wanted, known, hold=hold)
    seen = await _seen(company, credentials, applied, replicas, tools)
    is_well = await _report(company, spec, seen, blueprint, credentials, tools, memory)
    memory.was_well = is_well
    return Outcome(is_well, applied.written)


def _replicas(spec: CompanySpec) -> Mapping[WorkerGroup, int]:
    wanted = {group: worker.min for group, worker in groups_of_company(spec).items()} | {GATEWAY: 1}
    return dict.fromkeys(wanted, 0) if spec.hibernated else wanted


async def _seen(
    company: Company, credentials: Credentials, applied: Applied, groups: Mapping[WorkerGroup, int], tools: Tools
) -> Seen:
    queued: Mapping[WorkerGroup, int] | Unknown = Unknown("the broker is not the operator's to ask")
    if credentials.broker != "external" and tools.depths is not None:
        queued = await tools.depths.of(company.ref, (group for group in groups if group != GATEWAY))
    return Seen(
        groups=groups,
        deployments={
            group: seen_deployment(child.manifest)
            for group in groups
            if (child := _deployment(company, group, applied.children)) is not None
        },
        pods=tuple(tools.watched.pods(company.ref)),
        key=credentials.key,
        troubles=(*credentials.troubles, *applied.troubles),
        queued=queued,
        applied=applied.written,
    )


def _deployment(company: Company, group: WorkerGroup, children: Mapping[ChildKey, Child]) -> Child | None:
    child = children.get(ChildKey(DEPLOYMENT.kind, deployment_name(company.ref.name, group)))
    return child if child is not None and child.owner == company.ref.uid else None


async def _report(
    company: Company,
    spec: CompanySpec,
    seen: Seen,
    blueprint: Blueprint,
    credentials: Credentials,
    tools: Tools,
    memory: Memory,
) -> bool:
    host = f"{deployment_name(company.ref.name, GATEWAY)}.{company.ref.namespace}.svc"
    place = Place(blueprint.image, f"http://{host}:{_GATEWAY_PORT}", credentials.broker, credentials.store)
    conditions = conditions_of(spec, seen)
    before = memory.status or company.status
    now = tools.now()
    status = status_of(conditions, before, generation=company.generation, now=now.strftime("%Y-%m-%dT%H:%M:%SZ"))
    status |= workforce_of(seen, place)
    await tell(company, status, tools.api, memory, now)
    await report(company, status, tools.api, memory, monotonic=tools.monotonic())
    holding = {condition.type: str(condition.status) for condition in conditions}
    is_resting = holding["Hibernated"] == "True"
    return (
        (holding["Ready"] == "True" or is_resting)
        and holding["Degraded"] == "False"
        and holding["Progressing"] == "False"
    )


async def _reconcile_invalid(company: Company, tools: Tools, memory: Memory) -> Outcome:
    """What runs is left as it is; only its owner can mend the resource."""
    now = tools.now()
    told = {condition["type"]: condition for condition in company.status.get("conditions", ())}
    conditions = conditions_of_invalid(company.mistakes)
    before, at = memory.status or company.status, now.strftime("%Y-%m-%dT%H:%M:%SZ")
    status = dict(company.status) | status_of(conditions, before, generation=company.generation, now=at)
    names = {condition.type for condition in conditions}
    status["conditions"] += [condition for name, condition in told.items() if name not in names]
    await tell(company, status, tools.api, memory, now)
    await report(company, status, tools.api, memory, monotonic=tools.monotonic())
    return Outcome(is_well=False, written=0)
