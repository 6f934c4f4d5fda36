"""`aicompany migrate`: bring the event store to this version's schema, before anything is started."""

import os
from pathlib import Path

import click

from aicompany_desk.cli.options import state_option
from aicompany_desk.company_file import load_company
from aicompany_desk.processes.migration import migrate_store
from aicompany_desk.state_place import state_place_of


@click.command("migrate")
@click.argument("company_file", type=click.Path(path_type=Path, dir_okay=False))
@state_option
def command(company_file: Path, state: Path | None) -> None:
    """Apply what the event store of COMPANY_FILE lacks. Safe to run again, and by several at once."""
    company = load_company(company_file, os.environ)
    applied = migrate_store(company.spec.store, state_place_of(company, state))
    click.echo(f"applied {', '.join(applied)}" if applied else "the event store is up to date")
