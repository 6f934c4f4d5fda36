"""`kubectl aicompany logs`: the lines of all the company's pods, each after its pod's name."""

import asyncio

import click

from aicompany.errors import NotFound, NotPossible
from aicompany_desk.cli.options import cluster_options, cluster_place
from aicompany_desk.cluster.api import ClusterApi, cluster_api
from aicompany_desk.cluster.company import CompanyThere, find
from aicompany_desk.cluster.place import ClusterForbidden

_LABEL = "aicompany.io"


@click.command("logs")
@click.argument("name")
@click.option("--role", help="Only this role: pm, task, result, dialog or gateway.")
@click.option("--agent", help="Only this agent.")
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes.")
@click.option("--tail", type=click.IntRange(min=0), default=100, show_default=True, help="Last lines of each pod.")
@cluster_options
def logs(name: str, role: str | None, agent: str | None, follow: bool, tail: int) -> int:
    """Print what the pods of the company NAME say."""
    return asyncio.run(_logs(name, role, agent, follow, tail))


async def _logs(name: str, role: str | None, agent: str | None, follow: bool, tail: int) -> int:
    async with cluster_api(cluster_place()) as api:
        company = await find(api, name)
        pods = await _pods(api, company, role, agent)
        if not pods:
            raise NotFound(f"company {company.namespace}/{company.name} has no such pod; see kubectl aicompany status")
        try:
            async with asyncio.TaskGroup() as group:
                for pod in pods:
                    group.create_task(_print(api, company.namespace, pod, follow=follow, tail=tail))
        except BaseExceptionGroup as failed:
            if failed.subgroup(BrokenPipeError):
                raise BrokenPipeError from failed
            raise
    return 0


async def _pods(api: ClusterApi, company: CompanyThere, role: str | None, agent: str | None) -> list[str]:
    wanted = {"company": company.name, "role": role, "agent": agent}
    selector = ",".join(f"{_LABEL}/{label}={value}" for label, value in wanted.items() if value)
    found = await api.core(company.namespace, "pods", labelSelector=selector)
    return sorted(pod["metadata"]["name"] for pod in found.get("items", ()))


async def _print(api: ClusterApi, namespace: str, pod: str, *, follow: bool, tail: int) -> None:
    try:
        async with api.log_of(namespace, pod, follow=follow, tail=tail) as lines:
            async for line in lines:
                click.echo(f"{pod}  {line}")
    except ClusterForbidden:
        raise
    except (NotFound, NotPossible) as error:
        # It is gone, or has not started: no reason to keep the others' lines back.
        click.echo(f"{pod}  ({error.message})", err=True)
