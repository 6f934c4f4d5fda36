"""Work that goes on until somebody says so."""

import asyncio
from collections.abc import Awaitable, Coroutine
from typing import Any


async def until(stopped: Awaitable[Any], work: Coroutine[Any, Any, None]) -> None:
    """Do the work until `stopped` comes true: then it is cancelled. An error of the work goes on to the caller."""
    task = asyncio.create_task(work)
    stop = asyncio.ensure_future(stopped)
    try:
        await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
    finally:
        for each in (task, stop):
            each.cancel()
        await asyncio.wait({task, stop})
