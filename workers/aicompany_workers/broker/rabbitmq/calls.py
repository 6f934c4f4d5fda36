"""pika's callbacks as things one can wait for."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from pika.adapters.asyncio_connection import AsyncioConnection
from pika.channel import Channel
from pika.exceptions import AMQPError, ChannelClosedByBroker

from aicompany.errors import BrokerUnavailable

NOT_FOUND = 404
PRECONDITION_FAILED = 406


class WaitingChannel:
    """A channel whose methods can be waited for. `raw` is for those that the broker does not answer."""

    def __init__(self, raw: Channel, *, timeout_seconds: float) -> None:
        self.raw = raw
        self.closed: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
        """Done with the reason once the channel is closed, by whomever."""
        self._timeout_seconds = timeout_seconds
        self._answers: set[asyncio.Future[Any]] = set()
        raw.add_on_close_callback(self._on_close)

    @classmethod
    async def open(cls, connection: AsyncioConnection, *, timeout_seconds: float) -> "WaitingChannel":
        """Open one. Raises `BrokerUnavailable`."""
        opened: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        try:
            channel = cls(
                connection.channel(on_open_callback=lambda raw: settle(opened, raw)), timeout_seconds=timeout_seconds
            )
        except AMQPError as error:
            raise unavailable(error) from error
        await channel._wait_for(opened)
        return channel

    @property
    def is_open(self) -> bool:
        """Whether methods can be called."""
        return bool(self.raw.is_open)

    async def call(self, method: Callable[..., Any], **arguments: object) -> Any:  # noqa: ANN401 - pika's frames
        """Call one of `raw`'s methods that take a callback, and return the answer.

        Raises `ChannelClosedByBroker` when the broker refused (the channel is closed then), `BrokerUnavailable` when
        the connection went away or nothing came in time.
        """
        answered: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        try:
            method(callback=lambda frame: settle(answered, frame), **arguments)
        except AMQPError as error:
            raise unavailable(error) from error
        return await self._wait_for(answered)

    async def _wait_for(self, answered: asyncio.Future[Any]) -> Any:  # noqa: ANN401 - pika's frames
        self._answers.add(answered)
        try:
            async with asyncio.timeout(self._timeout_seconds):
                return await answered
        except TimeoutError as error:
            raise BrokerUnavailable(f"the broker did not answer within {self._timeout_seconds:g} s") from error
        finally:
            self._answers.discard(answered)

    def close(self) -> None:
        """Close it, without waiting for the broker's answer. Idempotent."""
        with suppress(AMQPError):
            if self.raw.is_open:
                self.raw.close()

    def _on_close(self, _: Channel, error: BaseException) -> None:
        settle(self.closed, error)
        refused = error if isinstance(error, ChannelClosedByBroker) else unavailable(error)
        for answered in list(self._answers):
            if not answered.done():
                answered.set_exception(refused)


def settle(future: asyncio.Future[Any], value: object) -> None:
    """Give the future its result, unless it has one or nobody waits any more."""
    if not future.done():
        future.set_result(value)


def unavailable(error: BaseException) -> BrokerUnavailable:
    """What pika raised, in the words of the port."""
    return BrokerUnavailable(f"the connection to the broker went away ({describe(error)})")


def describe(error: BaseException | None) -> str:
    """An error of pika or of the socket in a few words, which never hold a password."""
    if error is None:
        return "no reason given"
    several = getattr(error, "exceptions", None) or (None,)
    inner = several[-1] or getattr(error, "exception", None) or next(iter(error.args), None)
    if isinstance(inner, BaseException):
        return describe(inner)
    text = getattr(error, "reply_text", None) or str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
