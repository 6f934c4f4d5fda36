"""One connection to RabbitMQ, supervised: made, watched, and made again for as long as it is wanted."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pika
import structlog
from pika.adapters.asyncio_connection import AsyncioConnection
from pika.exceptions import AMQPConnectionError, AMQPError, ProbableAccessDeniedError, ProbableAuthenticationError

from aicompany.errors import AICompanyError, BrokerUnavailable
from aicompany.spec.servers import BrokerSpec
from aicompany_workers.breakers import GuardedCalls
from aicompany_workers.broker.rabbitmq.calls import WaitingChannel, describe, settle
from aicompany_workers.broker.rabbitmq.state import LinkState

_PAUSE_SECONDS = (0.05, 1.0)
"""Between tries: doubled from the first to the second, each time only a random part of it, so that many workers do
not come back at the same instant. Short, because work waits; a refused connection costs the broker nothing."""
_CLOSE_SECONDS = 5.0

log = structlog.get_logger()


class Link:
    """A connection that comes back by itself. `use` is run for each life of the connection, and ended with it."""

    def __init__(
        self,
        name: str,
        spec: BrokerSpec,
        *,
        use: "Callable[[Link], Awaitable[None]]",
        calls: GuardedCalls | None,
        on_blocked: Callable[[bool], None],
    ) -> None:
        self._spec = spec
        self._use = use
        self._calls = calls
        self._tell_blocked = on_blocked
        self._connection: AsyncioConnection | None = None
        self._ready = asyncio.Event()
        self._lost: asyncio.Future[Any] | None = None
        self._shared: WaitingChannel | None = None
        self.state = LinkState(name)
        self.refusal: str | None = None
        """Why the broker does not let us in, as far as it said so."""

    @property
    def generation(self) -> int:
        """Counts the lives of the connection; 0 before the first."""
        return self.state.connects

    @property
    def is_up(self) -> bool:
        """Whether it is connected and in use."""
        return self._ready.is_set()

    @property
    def server_properties(self) -> dict[str, Any]:
        """What the server says of itself."""
        return (self._connection.server_properties if self._connection else None) or {}

    async def run(self) -> None:
        """Keep the connection until cancelled."""
        failures = 0
        while True:
            try:
                lost = await self._connect()
            except BrokerUnavailable as error:
                failures += 1
                self.state.failed(error.message)
                if self._calls is not None:
                    self._calls.failed()
                log.warning("broker.unreachable", link=self.state.name, failures=failures, reason=error.message)
            else:
                failures = 0
                reason = await self._live(lost)
                self.state.lost(reason)
                log.warning("broker.connection_lost", link=self.state.name, reason=reason)
            await asyncio.sleep(_pause_after(failures))

    async def wait_until_up(self, timeout_seconds: float) -> None:
        """Raises `BrokerUnavailable` when it is not up in time."""
        if self._ready.is_set():
            return
        try:
            async with asyncio.timeout(timeout_seconds):
                await self._ready.wait()
        except TimeoutError:
            raise BrokerUnavailable(
                f"the broker cannot be reached: {self.state.last_problem or 'it does not answer'}"
            ) from None

    async def open_channel(self) -> WaitingChannel:
        """A channel of one's own. Raises `BrokerUnavailable`."""
        if self._connection is None:
            raise BrokerUnavailable("there is no connection to the broker")
        return await WaitingChannel.open(self._connection, timeout_seconds=self._spec.connect_timeout_seconds)

    async def shared_channel(self) -> WaitingChannel:
        """A channel for questions that the broker may answer by closing it; opened again when it did."""
        if self._shared is None or not self._shared.is_open:
            self._shared = await self.open_channel()
        return self._shared

    def cut(self) -> None:
        """End the present connection at once; `run` makes another."""
        if self._connection is not None:
            _abandon(self._connection)

    async def close(self) -> None:
        """Say goodbye to the broker; call after `run` was cancelled."""
        connection, self._connection = self._connection, None
        self._ready.clear()
        if connection is None or connection.is_closed:
            return
        if not connection.is_closing:
            with suppress(AMQPError):
                connection.close()
        if self._lost is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(_CLOSE_SECONDS):
                    await asyncio.wait([self._lost])
        _abandon(connection)

    async def _connect(self) -> asyncio.Future[Any]:
        """Connect, and return the future that tells when and why the connection is gone."""
        loop = asyncio.get_running_loop()
        opened: asyncio.Future[AsyncioConnection | _NotOpened] = loop.create_future()
        lost: asyncio.Future[Any] = loop.create_future()
        connection = AsyncioConnection(
            self._parameters(),
            on_open_callback=lambda connection: settle(opened, connection),
            on_open_error_callback=lambda _, error: settle(opened, _tellable(error)),
            on_close_callback=lambda _, error: settle(lost, error),
        )
        try:
            async with asyncio.timeout(self._spec.connect_timeout_seconds + 1):
                outcome = await opened
        except TimeoutError:
            _abandon(connection)
            raise BrokerUnavailable(f"no connection within {self._spec.connect_timeout_seconds:g} s") from None
        except asyncio.CancelledError:
            _abandon(connection)
            raise
        if isinstance(outcome, _NotOpened):
            self.refusal = outcome.reason if outcome.is_refusal else None
            raise BrokerUnavailable(outcome.reason)
        connection.add_on_connection_blocked_callback(lambda *_: self._set_blocked(blocked=True))
        connection.add_on_connection_unblocked_callback(lambda *_: self._set_blocked(blocked=False))
        self.refusal = None
        self._connection, self._lost, self._shared = connection, lost, None
        self.state.connected()
        return lost

    async def _live(self, lost: asyncio.Future[Any]) -> str:
        """Let the connection be used until it is gone; returns why it is gone."""
        use: asyncio.Future[Any] = asyncio.create_task(self._use_it(), name=f"{self.state.name}-use")
        try:
            await asyncio.wait({use, lost}, return_when=asyncio.FIRST_COMPLETED)
            if lost.done():
                return describe(lost.result())
            self.cut()
            problem = use.exception()
            if isinstance(problem, AICompanyError | AMQPError):
                return describe(problem)
            raise problem or RuntimeError(f"the use of {self.state.name} ended by itself")
        finally:
            self._ready.clear()
            self._set_blocked(blocked=False)
            use.cancel()
            with suppress(asyncio.CancelledError, AICompanyError, AMQPError):
                await use

    async def _use_it(self) -> None:
        await self._use(self)

    def ready(self) -> None:
        """Called by the user of the connection when it is set up."""
        self._ready.set()
        if self._calls is not None:
            self._calls.recovered()

    def _set_blocked(self, *, blocked: bool) -> None:
        if blocked == self.state.is_blocked:
            return
        self.state.is_blocked = blocked
        if blocked:
            log.warning("broker.blocked", link=self.state.name, reason="the broker is short of memory or disk")
        else:
            log.info("broker.unblocked", link=self.state.name)
        self._tell_blocked(blocked)

    def _parameters(self) -> pika.URLParameters:
        parameters = pika.URLParameters(self._spec.url or "")
        seconds = self._spec.connect_timeout_seconds
        parameters.socket_timeout = parameters.stack_timeout = seconds
        parameters.connection_attempts = 1
        parameters.heartbeat = self._spec.heartbeat_seconds
        parameters.client_properties = {"connection_name": f"aicompany-{self.state.name}"}
        return parameters


def _abandon(connection: AsyncioConnection) -> None:
    """Drop it where it stands. pika has no public way that does not wait for the other side, which may be gone."""
    if not connection.is_closed:
        with suppress(AMQPError):
            connection._terminate_stream(AMQPConnectionError("given up"))  # type: ignore[attr-defined]


@dataclass(frozen=True, slots=True)
class _NotOpened:
    """The connection did not come about."""

    reason: str
    is_refusal: bool = False
    """The broker said no: the user, the password or the vhost is wrong."""


def _tellable(error: BaseException | str) -> _NotOpened:
    if isinstance(error, str):
        return _NotOpened(error)
    for cause in _causes(error):
        if isinstance(cause, ProbableAuthenticationError):
            return _NotOpened("the broker does not accept the user and password of spec.broker.url", is_refusal=True)
        if isinstance(cause, ProbableAccessDeniedError):
            reason = "the broker has no vhost as in spec.broker.url, or the user may not enter it"
            return _NotOpened(reason, is_refusal=True)
    return _NotOpened(describe(error))


def _causes(error: BaseException) -> list[BaseException]:
    found = [error]
    for inner in (*error.args, getattr(error, "exception", None), *getattr(error, "exceptions", ())):
        if isinstance(inner, BaseException):
            found += _causes(inner)
    return found


def _pause_after(failures: int) -> float:
    """Full jitter: a random part of the doubled pause."""
    first, longest = _PAUSE_SECONDS
    return random.uniform(first / 2, min(longest, first * 2 ** min(failures, 16)))  # noqa: S311 - no secret
