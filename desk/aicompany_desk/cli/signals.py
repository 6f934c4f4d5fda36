"""SIGINT and SIGTERM: the first asks to finish, the second does not wait."""

import asyncio
import os
import signal
from collections.abc import Coroutine
from typing import Any, TypeVar

import click

from aicompany_desk.cli.exit_codes import INTERRUPTED

T = TypeVar("T")


async def until_told_to_stop(work: Coroutine[Any, Any, T], *, stopped_code: int = INTERRUPTED) -> T | int:
    """Run the work; a first signal cancels it (its contexts then finish in order), a second ends the process."""
    loop = asyncio.get_running_loop()
    task = loop.create_task(work)
    told = False

    def stop() -> None:
        nonlocal told
        if told:
            os._exit(INTERRUPTED)
        told = True
        click.echo("stopping: workers finish what they have (again to stop at once)", err=True)
        task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    try:
        return await task
    except asyncio.CancelledError:
        if told:
            return stopped_code
        raise
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
