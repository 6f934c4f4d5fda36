"""`aicompany cancel`: an order is not wanted any more."""

import asyncio
from pathlib import Path

import click

from aicompany_desk.cli.client import path_of, reach
from aicompany_desk.cli.options import output_option, reach_options
from aicompany_desk.cli.printing import print_data


@click.command("cancel")
@click.argument("task_id")
@reach_options
@output_option
def command(task_id: str, company: str | None, url: str | None, state: Path | None, output: str) -> int:
    """Cancel the order TASK_ID; what its phase at work did is taken back."""
    return asyncio.run(_cancel(task_id, company, url, state, output))


async def _cancel(task_id: str, company: str | None, url: str | None, state: Path | None, output: str) -> int:
    async with reach(company, url, state, changes=True) as client:
        answer = await client.post(path_of("tasks", task_id, "cancel"))
    print_data(answer, output, f"{answer['id']} is being cancelled")
    return 0
