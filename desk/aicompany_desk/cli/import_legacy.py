"""`aicompany import-legacy`: take over what the predecessor kept."""

import asyncio
import os
import sys
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress

from aicompany.spec.company import CompanySpec
from aicompany_desk.cli.exit_codes import ORDER_FAILED
from aicompany_desk.cli.options import state_option
from aicompany_desk.cli.printing import table
from aicompany_desk.company_file import load_company
from aicompany_desk.processes.legacy import Found, Imported, back_up, import_found, look
from aicompany_desk.state_place import companies_directory, state_place_of
from aicompany_workers.clock import SystemClock
from aicompany_workers.store.state_directory import StateDirectory


@click.command("import-legacy")
@click.argument("conversations", type=click.Path(path_type=Path, dir_okay=False))
@click.argument("tasks", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--company-file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The company to import into; names its store.",
)
@click.option("--dry-run", is_flag=True, help="Only show what was recognised.")
@click.option("--no-backup", is_flag=True, help="Make no backup first; you have one.")
@state_option
def command(
    conversations: Path, tasks: Path, company_file: Path | None, dry_run: bool, no_backup: bool, state: Path | None
) -> int:
    """Import CONVERSATIONS (conversations.db) and TASKS (task_history.db). Running it again changes nothing."""
    found = look(conversations, tasks)
    _show_found(found, conversations, tasks)
    if dry_run:
        click.echo("nothing was imported (--dry-run)")
        return 0
    spec, place = CompanySpec(), state
    if company_file is not None:
        company = load_company(company_file, os.environ)
        spec, place = company.spec, state_place_of(company, state)
    elif place is None:
        place = companies_directory() / "legacy"
    directory = StateDirectory(place)
    if not no_backup:
        backup = back_up([conversations, tasks], spec.store, directory, SystemClock().now())
        click.echo(f"backups are in {backup}")
    total = len(found.conversations[1]) + len(found.tasks[1])
    with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:
        bar = progress.add_task("importing", total=total)
        imported = asyncio.run(import_found(found, spec, directory, advanced=lambda: progress.advance(bar)))
    return _show_imported(imported, directory)


def _show_found(found: Found, conversations: Path, tasks: Path) -> None:
    for path, (recognised, aggregates), what in (
        (conversations, found.conversations, "conversations"),
        (tasks, found.tasks, "tasks"),
    ):
        columns = ", ".join(f"{meaning}: {column}" for meaning, column in recognised.columns.items())
        click.echo(f"{path}: {len(aggregates)} {what} in table {recognised.table} ({columns})")


def _show_imported(imported: list[Imported], directory: StateDirectory) -> int:
    rows = [(i.what, i.found, i.added, i.known_before, i.stored, i.compared, len(i.differing)) for i in imported]
    click.echo(table(("WHAT", "FOUND", "ADDED", "KNOWN BEFORE", "STORED", "COMPARED", "DIFFERING"), rows, ""))
    if all(one.is_whole for one in imported):
        click.echo(f"everything is there; state in {directory.path}")
        return 0
    differing = [name for one in imported for name in one.differing]
    click.echo(f"not everything is as it was; look at {', '.join(differing[:10]) or 'the counts above'}", err=True)
    return ORDER_FAILED
