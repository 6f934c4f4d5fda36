"""`kubectl aicompany pause | resume | hibernate | wake`: the fields of the specification, by a word."""

import asyncio

import click

from aicompany_desk.cli.options import cluster_options, cluster_place
from aicompany_desk.cluster.api import cluster_api
from aicompany_desk.cluster.company import find


@click.command("pause")
@click.argument("name")
@cluster_options
def pause(name: str) -> int:
    """Have the operator change nothing of the company NAME; its pods go on."""
    return _set(
        name, "paused", True, "is paused: the operator changes nothing; resume it with: kubectl aicompany resume"
    )


@click.command("resume")
@click.argument("name")
@cluster_options
def resume(name: str) -> int:
    """Have the operator care for the company NAME again."""
    return _set(name, "paused", False, "is cared for again")


@click.command("hibernate")
@click.argument("name")
@cluster_options
def hibernate(name: str) -> int:
    """Take all pods of the company NAME away; queues, events and results are kept."""
    return _set(name, "hibernated", True, "hibernates: its work is kept; wake it with: kubectl aicompany wake")


@click.command("wake")
@click.argument("name")
@cluster_options
def wake(name: str) -> int:
    """Bring a hibernated company NAME back."""
    return _set(name, "hibernated", False, "is woken")


def _set(name: str, field: str, value: bool, said: str) -> int:
    async def change() -> str:
        async with cluster_api(cluster_place()) as api:
            company = await find(api, name, changes=True)
            await api.patch_company(company.namespace, company.name, {"spec": {field: value}})
            return f"{company.namespace}/{company.name}"

    click.echo(f"{asyncio.run(change())} {said}")
    return 0
