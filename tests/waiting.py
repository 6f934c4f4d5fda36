"""Waiting in tests: for a condition, with a deadline, never for a fixed time."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def eventually(
    probe: Callable[[], Awaitable[T] | T], *, within_seconds: float = 10, every_seconds: float = 0.01
) -> T:
    """The first truthy value of `probe`. Fails when there is none in time, showing the last value."""
    deadline = time.monotonic() + within_seconds
    while True:
        value = probe()
        if isinstance(value, Awaitable):
            value = await value
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_seconds} s; last seen: {value!r}")
        await asyncio.sleep(every_seconds)


def until(
    probe: Callable[[], T],
    *,
    within_seconds: float = 10,
    every_seconds: float = 0.25,
    what: Callable[[], str] = lambda: "it did not come about",
) -> T:
    """The same without an event loop; what cannot be asked counts as not yet. `what` says how things are instead."""
    deadline = time.monotonic() + within_seconds
    trouble: Exception | None = None
    while True:
        try:
            value = probe()
        except Exception as error:  # noqa: BLE001 - a server may be on its way up or down
            trouble = error
        else:
            trouble = None
            if value:
                return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_seconds} s: {trouble or what()}") from trouble
        time.sleep(every_seconds)
