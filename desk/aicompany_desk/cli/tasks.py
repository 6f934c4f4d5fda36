"""`aicompany tasks`: list orders."""

import asyncio
from pathlib import Path

import click

from aicompany.tasks.task import TaskState
from aicompany_desk.cli.client import reach
from aicompany_desk.cli.options import output_option, reach_options
from aicompany_desk.cli.printing import print_data, shortened, table


@click.command("tasks")
@click.option("--state-is", type=click.Choice([state.value for state in TaskState]), help="Only those in this state.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many at most.")
@reach_options
@output_option
def command(
    state_is: str | None, limit: int, company: str | None, url: str | None, state: Path | None, output: str
) -> int:
    """List orders, newest first."""
    return asyncio.run(_tasks(state_is, limit, company, url, state, output))


async def _tasks(
    state_is: str | None, limit: int, company: str | None, url: str | None, state: Path | None, output: str
) -> int:
    async with reach(company, url, state, changes=False) as client:
        answer = await client.get("/v1/tasks", state=state_is, limit=limit)
    rows = [
        (
            t["id"],
            t["state"],
            t["lane"],
            t["kind"],
            t["tokens"],
            f"${float(t['cost_usd']):.4f}",
            shortened(t["title"], 60),
        )
        for t in answer["tasks"]
    ]
    columns = ("ID", "STATE", "LANE", "KIND", "TOKENS", "COST", "TITLE")
    print_data(answer["tasks"], output, table(columns, rows, "no orders yet; hand one in with `aicompany order`"))
    return 0
