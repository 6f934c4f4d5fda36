"""`aicompany order`: hand in an order."""

import asyncio
import math
import uuid
from pathlib import Path

import click

from aicompany.messaging.lanes import Lane
from aicompany.tasks.intake import OrderRequest
from aicompany.tasks.task import TaskKind
from aicompany_desk.cli import standard_input
from aicompany_desk.cli.client import reach
from aicompany_desk.cli.options import output_option, reach_options
from aicompany_desk.cli.printing import print_data
from aicompany_desk.cli.requester import requester
from aicompany_desk.cli.run import print_ended, submit_and_follow
from aicompany_desk.company_file import order_request, read_attachment

_KEY_CHARACTERS_MAX = 200


def _finite(_: click.Context, __: click.Parameter, seconds: float | None) -> float | None:
    if seconds is not None and not math.isfinite(seconds):
        raise click.BadParameter(f"{seconds} is no number of seconds")
    return seconds


def _header(_: click.Context, __: click.Parameter, key: str | None) -> str | None:
    """A key goes as an HTTP header, which carries plain characters only."""
    if key is not None and not (key.strip() == key and key.isascii() and key.isprintable() and key):
        raise click.BadParameter("it must be of plain ASCII characters, without spaces around them")
    if key is not None and len(key) > _KEY_CHARACTERS_MAX:
        raise click.BadParameter(f"it may have {_KEY_CHARACTERS_MAX} characters at most")
    return key


@click.command("order")
@click.argument("prompt")
@click.option(
    "--file", "files", multiple=True, type=click.Path(path_type=Path), help="Text file that belongs to it; repeatable."
)
@click.option("--title", help="A short name.")
@click.option(
    "--priority", type=click.Choice([lane.value for lane in Lane]), help="Lane; found from the words otherwise."
)
@click.option("--kind", type=click.Choice([kind.value for kind in TaskKind]), help="Sort of work; guessed otherwise.")
@click.option(
    "--deadline",
    type=click.FloatRange(min=0, min_open=True),
    callback=_finite,
    help="Seconds after which it is cancelled.",
)
@click.option("--key", callback=_header, help="Idempotency key: the same key hands the same order in once.")
@click.option("--wait", is_flag=True, help="Show progress, wait for the end, print the result.")
@reach_options
@output_option
def command(
    prompt: str,
    files: tuple[Path, ...],
    title: str | None,
    priority: str | None,
    kind: str | None,
    deadline: float | None,
    key: str | None,
    wait: bool,
    company: str | None,
    url: str | None,
    state: Path | None,
    output: str,
) -> int:
    """Hand in the order PROMPT; `-` reads it from standard input. A JSON list is many tasks."""
    order = order_request(
        prompt=standard_input.read_all() if prompt == "-" else prompt,
        title=title,
        kind=TaskKind(kind) if kind else None,
        priority=Lane(priority) if priority else None,
        attachments=tuple(read_attachment(path) for path in files),
        deadline_seconds=deadline,
        requester=requester(),
    )
    return asyncio.run(_order(order, key or uuid.uuid4().hex, wait, company, url, state, output))


async def _order(
    order: OrderRequest, key: str, wait: bool, company: str | None, url: str | None, state: Path | None, output: str
) -> int:
    async with reach(company, url, state, changes=True) as client:
        if not wait:
            body = order.model_dump(mode="json", exclude_none=True)
            accepted = await client.post("/v1/tasks", body, headers={"Idempotency-Key": key})
            text = f"{accepted['id']}  {accepted['state']}  {accepted['lane']} lane ({accepted['lane_reason']})"
            print_data(accepted, output, text)
            return 0
        progress = await submit_and_follow(client, order, key=key)
        return print_ended(await client.get(f"/v1/tasks/{progress.order}"), progress, output)
