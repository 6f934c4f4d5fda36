"""`aicompany gateway`: the door of a company that is spread over many processes."""

import asyncio
import os
from pathlib import Path

import click

from aicompany_desk.cli.options import state_option
from aicompany_desk.cli.signals import until_told_to_stop
from aicompany_desk.company_file import load_company
from aicompany_desk.processes.gateway import run_gateway
from aicompany_desk.state_place import state_place_of


@click.command("gateway")
@click.argument("company_file", type=click.Path(path_type=Path, dir_okay=False))
@state_option
def command(company_file: Path, state: Path | None) -> int:
    """Take orders for the company of COMPANY_FILE until SIGINT or SIGTERM; logs go to standard output."""
    return asyncio.run(until_told_to_stop(_open(company_file, state), stopped_code=0))


async def _open(company_file: Path, state: Path | None) -> int:
    company = load_company(company_file, os.environ)
    async with run_gateway(company, state_place_of(company, state)) as url:
        click.echo(f"gateway of {company.metadata.name} is open at {url}", err=True)
        await asyncio.Event().wait()
    return 0
