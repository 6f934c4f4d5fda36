"""`aicompany worker`: one worker process of a company that is spread over many."""

import asyncio
import os
from pathlib import Path

import click

from aicompany_desk.cli.options import state_option
from aicompany_desk.cli.signals import until_told_to_stop
from aicompany_desk.company_file import load_company
from aicompany_desk.processes.worker import group_of, run_worker
from aicompany_desk.state_place import state_place_of


@click.command("worker")
@click.argument("role", type=click.Choice(["pm", "task", "result", "dialog"]))
@click.argument("company_file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--agent", help="Which agent's work to do, for the task role; the fallback agent's when not given.")
@state_option
def command(role: str, company_file: Path, agent: str | None, state: Path | None) -> int:
    """Work as ROLE for the company of COMPANY_FILE until SIGINT or SIGTERM; logs go to standard output."""
    if agent is not None and role != "task":
        raise click.UsageError("only the task role has agents; leave --agent away")
    return asyncio.run(until_told_to_stop(_work(role, company_file, agent, state), stopped_code=0))


async def _work(role: str, company_file: Path, agent: str | None, state: Path | None) -> int:
    company = load_company(company_file, os.environ)
    group = group_of(company.spec, role, agent)
    async with run_worker(company, group, state_place_of(company, state)) as url:
        click.echo(f"worker {group} of {company.metadata.name} is at work, health at {url}", err=True)
        await asyncio.Event().wait()
    return 0
