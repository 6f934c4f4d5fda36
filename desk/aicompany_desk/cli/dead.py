"""`aicompany dead`: messages that could not be carried out."""

import asyncio
from pathlib import Path

import click

from aicompany_desk.cli.client import path_of, reach
from aicompany_desk.cli.options import output_option, reach_options
from aicompany_desk.cli.printing import fields, print_data, shortened, table


@click.group("dead")
def command() -> None:
    """Dead letters: what could not be carried out, kept until somebody replays it."""


@command.command("list")
@click.option("--all", "include_replayed", is_flag=True, help="Also those that were replayed.")
@reach_options
@output_option
def list_all(include_replayed: bool, company: str | None, url: str | None, state: Path | None, output: str) -> int:
    """List dead letters, last buried first."""

    async def work() -> int:
        async with reach(company, url, state, changes=False) as client:
            letters = (await client.get("/v1/dead", include_replayed=include_replayed))["dead"]
        rows = [
            (d["id"], d["state"], d["task_id"], d["error_code"], shortened(d["error_message"], 70)) for d in letters
        ]
        print_data(letters, output, table(("ID", "STATE", "TASK", "CODE", "WHY"), rows, "no dead letters"))
        return 0

    return asyncio.run(work())


@command.command("show")
@click.argument("letter_id")
@reach_options
@output_option
def show(letter_id: str, company: str | None, url: str | None, state: Path | None, output: str) -> int:
    """Show the dead letter LETTER_ID with its history."""

    async def work() -> int:
        async with reach(company, url, state, changes=False) as client:
            letter = await client.get(path_of("dead", letter_id))
        head = fields({name: letter[name] for name in letter if name not in {"history", "body"}})
        history = [(e["timestamp"], e["type"]) for e in letter["history"]]
        print_data(letter, output, "\n\n".join([head, table(("TIME", "EVENT"), history, ""), letter["body"]]))
        return 0

    return asyncio.run(work())


@command.command("replay")
@click.argument("letter_id", required=False)
@click.option("--all", "all_letters", is_flag=True, help="Replay every dead letter.")
@reach_options
@output_option
def replay(
    letter_id: str | None, all_letters: bool, company: str | None, url: str | None, state: Path | None, output: str
) -> int:
    """Send the dead letter LETTER_ID again, or all; its order carries on from the phase that failed."""
    if (letter_id is None) == (not all_letters):
        raise click.UsageError("name one dead letter, or --all")

    async def work() -> int:
        async with reach(company, url, state, changes=True) as client:
            if letter_id is not None:
                answer = await client.post(path_of("dead", letter_id, "replay"))
                print_data(answer, output, f"{letter_id} was sent again")
                return 0
            answer = await client.post("/v1/dead/replay")
        text = f"{len(answer['replayed'])} sent again, {len(answer['refused'])} refused"
        print_data(answer, output, "\n".join([text, *(f"  {r['id']}: {r['detail']}" for r in answer["refused"])]))
        return 0

    return asyncio.run(work())
