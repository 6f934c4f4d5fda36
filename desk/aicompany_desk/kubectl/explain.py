"""`kubectl aicompany explain`: why a task is where it is."""

import asyncio
from typing import Any

import click

from aicompany_desk.cli.client import GatewayClient, path_of
from aicompany_desk.cli.options import cluster_options, cluster_place, output_option
from aicompany_desk.cli.printing import print_data
from aicompany_desk.cli.task import text_of as task_text
from aicompany_desk.cluster.api import cluster_api
from aicompany_desk.cluster.company import CompanyThere, find, gateway_of

_WAITING = frozenset({"submitted", "running"})


@click.command("explain")
@click.argument("name")
@click.argument("task_id")
@cluster_options
@output_option
def explain_task(name: str, task_id: str, output: str) -> int:
    """Why TASK_ID of the company NAME is where it is: its history, and the workers it waits for."""
    return asyncio.run(_explain(name, task_id, output))


async def _explain(name: str, task_id: str, output: str) -> int:
    async with cluster_api(cluster_place()) as api:
        company = await find(api, name)
        async with gateway_of(api, company) as http:
            task = await GatewayClient(http).get(path_of("tasks", task_id))
    why = why_of(task, company)
    print_data({"why": why, "task": task}, output, f"{why}\n\n{task_text(task)}")
    return 0


def why_of(task: dict[str, Any], company: CompanyThere) -> str:
    """In a sentence or two."""
    if task["state"] not in _WAITING:
        ended = f"It {task['state']} at {task['ended_at']}"
        return f"{ended}: {task['error_message']}" if task["error_message"] else f"{ended}."
    groups = {group["name"]: group for group in company.resource.get("status", {}).get("groups", ())}
    waits_for = sorted({_group_of(step) for step in open_steps(task)} or {_group_of(task)})
    told = [_state_of(name, groups.get(name)) for name in waits_for]
    return f"It is {task['state']}. " + " ".join(told)


def open_steps(task: dict[str, Any]) -> list[dict[str, Any]]:
    """Steps that were handed out and have not ended."""
    return [step for step in task["steps"] if step["state"] in {"dispatched", *_WAITING}]


def _group_of(task: dict[str, Any]) -> str:
    return f"task.{task['agent']}" if task.get("agent") else "pm"


def _state_of(name: str, group: dict[str, Any] | None) -> str:
    if group is None:
        return f"Nobody of {name} is known."
    if group["ready"] == 0:
        return f"No worker of {name} is ready ({group['desired']} should be); its messages wait."
    queued = group.get("queued")
    waiting = f"{queued} messages wait" if queued is not None else "how many messages wait is unknown"
    return f"{group['ready']} of {group['desired']} workers of {name} are ready; {waiting} for them."
