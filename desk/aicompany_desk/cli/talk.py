"""`aicompany talk`: a conversation that goes on after any restart."""

import asyncio
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import click

from aicompany.errors import NotFound
from aicompany_desk.cli import standard_input
from aicompany_desk.cli.client import GatewayClient, path_of, reach
from aicompany_desk.cli.options import reach_options
from aicompany_desk.cli.requester import requester


@click.command("talk")
@click.option("--conversation", help="Go on with this conversation; the last one otherwise.")
@click.option("--new", is_flag=True, help="Start a new conversation.")
@reach_options
def command(conversation: str | None, new: bool, company: str | None, url: str | None, state: Path | None) -> int:
    """Talk with the company: a line is a turn, an empty line or Ctrl-D ends. Also reads lines from a pipe."""
    if new and conversation is not None:
        raise click.UsageError("--new starts another conversation; name none, or leave --new out")
    # Lines are read between runs of the loop: a read within it could not be interrupted.
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        try:
            client = runner.run(stack.enter_async_context(reach(company, url, state, changes=True)))
            shown = runner.run(_conversation(client, conversation, new))
            _print_beginning(shown)
            while text := _read_line():
                runner.run(_say(client, shown["id"], text))
        finally:
            runner.run(stack.aclose())
    return 0


def _print_beginning(shown: dict[str, Any]) -> None:
    if sys.stdin.isatty():
        click.echo(f"conversation {shown['id']} (an empty line ends)", err=True)
        for event in shown.get("history", [])[-6:]:
            _print_turn(event)


async def _conversation(client: GatewayClient, wished: str | None, new: bool) -> dict[str, Any]:
    if wished is not None:
        return await client.get(path_of("conversations", wished))
    known = (await client.get("/v1/conversations", limit=1))["conversations"]
    if known and not new:
        return await client.get(path_of("conversations", known[0]["id"]))
    return await client.post("/v1/conversations", {"requester": requester()})


def _read_line() -> str:
    if sys.stdin.isatty():
        click.echo("> ", nl=False)
    return standard_input.read_line()


async def _say(client: GatewayClient, conversation: str, text: str) -> None:
    said = await client.post(f"/v1/conversations/{conversation}/turns", {"text": text})
    turn = said["turn"]
    path = f"/v1/conversations/{conversation}/events?until_turn={turn}&after={said['position']}"
    async for event in client.events(path):
        if event["data"].get("turn") == turn:
            _print_turn(event)
            return
    raise NotFound(f"turn {turn} was not answered")


def _print_turn(event: dict[str, Any]) -> None:
    match event["type"]:
        case "turn_taken":
            click.echo(f"> {event['data']['text']}")
        case "turn_answered":
            click.echo(event["data"]["text"])
        case "turn_failed":
            click.echo(f"(no answer: {event['data']['failure']['message']})", err=True)
        case _:
            pass
