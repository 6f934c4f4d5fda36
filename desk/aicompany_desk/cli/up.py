"""`aicompany up`: keep a company running."""

import asyncio
import os
from pathlib import Path

import click

from aicompany_desk.cli.options import state_option
from aicompany_desk.cli.run import OFFLINE_LINE
from aicompany_desk.cli.signals import until_told_to_stop
from aicompany_desk.company_file import load_company
from aicompany_desk.local.company import run_company
from aicompany_desk.state_place import state_place_of


@click.command("up")
@click.argument("company_file", type=click.Path(path_type=Path, dir_okay=False))
@state_option
def command(company_file: Path, state: Path | None) -> int:
    """Run the company of COMPANY_FILE until SIGINT or SIGTERM; orders left from before are carried on."""
    return asyncio.run(until_told_to_stop(_up(company_file, state), stopped_code=0))


async def _up(company_file: Path, state: Path | None) -> int:
    company = load_company(company_file, os.environ)
    async with run_company(company, state_place_of(company, state)) as local:
        click.echo(f"company {company.metadata.name} is up at {local.url}, state in {local.state.path}")
        if local.is_offline:
            click.echo(OFFLINE_LINE)
        await asyncio.Event().wait()
    return 0
