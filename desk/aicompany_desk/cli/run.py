"""`aicompany run`: the whole of it, once."""

import asyncio
import os
from pathlib import Path

import click

from aicompany.errors import CompanyNotRunning
from aicompany.plans.proposal import listed_tasks
from aicompany.tasks.intake import OrderRequest, check_order, title_of
from aicompany_desk.cli.client import GatewayClient, client_at
from aicompany_desk.cli.exit_codes import ORDER_FAILED
from aicompany_desk.cli.options import output_option, state_option
from aicompany_desk.cli.printing import print_data
from aicompany_desk.cli.progress import OrderProgress, show_progress
from aicompany_desk.cli.signals import until_told_to_stop
from aicompany_desk.company_file import load_company, load_order
from aicompany_desk.local.company import run_company
from aicompany_desk.state_place import state_place_of

OFFLINE_LINE = (
    "offline: no ANTHROPIC_API_KEY is set, so an offline model answers by fixed rules (set the key for Claude)"
)


@click.command("run")
@click.argument("company_file", type=click.Path(path_type=Path, dir_okay=False))
@click.argument("order_file", type=click.Path(path_type=Path, dir_okay=False))
@state_option
@output_option
def command(company_file: Path, order_file: Path, state: Path | None, output: str) -> int:
    """Start the company of COMPANY_FILE, carry out the order of ORDER_FILE, print the result and where it is kept."""
    return asyncio.run(until_told_to_stop(_run(company_file, order_file, state, output)))


async def _run(company_file: Path, order_file: Path, state: Path | None, output: str) -> int:
    company = load_company(company_file, os.environ)
    order = load_order(order_file)
    check_order(order, company.spec.orders)
    listed_tasks(order.prompt, company.spec.planning)
    # This company is here for one order, so it needs no known port.
    gateway = company.spec.gateway.model_copy(update={"port": 0})
    company = company.model_copy(update={"spec": company.spec.model_copy(update={"gateway": gateway})})
    async with run_company(company, state_place_of(company, state)) as local:
        click.echo(f"company {company.metadata.name}: {order.title or title_of(order.prompt)}", err=True)
        if local.is_offline:
            click.echo(OFFLINE_LINE, err=True)
        async with client_at(local.url) as client:
            progress = await submit_and_follow(client, order)
            task = await client.get(f"/v1/tasks/{progress.order}")
    return print_ended(task, progress, output)


async def submit_and_follow(
    client: GatewayClient, order: OrderRequest, *, key: str | None = None, quiet: bool = False
) -> OrderProgress:
    """Hand the order in and show its progress to the end. Raises `CompanyNotRunning` when the company ends first."""
    headers = {"Idempotency-Key": key} if key else None
    accepted = await client.post("/v1/tasks", order.model_dump(mode="json", exclude_none=True), headers=headers)
    order_id = accepted["id"]
    try:
        progress = await show_progress(order_id, client.events(accepted["links"]["events"]), quiet=quiet)
        is_told = progress.kept_at is not None
    except CompanyNotRunning:
        is_told = False
    if not is_told:
        raise CompanyNotRunning(
            f"the company stopped before order {order_id} ended; the next `aicompany up` carries it on"
        )
    return progress


def print_ended(task: dict[str, object], progress: OrderProgress, output: str) -> int:
    """The result, and where it is kept; returns the exit code."""
    completed = task["state"] == "completed"
    if completed:
        print_data(task, output, str(task["result"]).rstrip())
    else:
        print_data(task, output, "")
        click.echo(f"order {progress.order} {task['state']}: {progress.failure}", err=True)
    click.echo(f"{progress.totals} · {task['state']} · kept in {task['kept_at']}", err=True)
    if progress.files:
        beside = str(task["kept_at"]).removesuffix(".md") + ".files"
        click.echo(f"made {', '.join(progress.files)} · in {beside}", err=True)
    return 0 if completed else ORDER_FAILED
