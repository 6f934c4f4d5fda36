"""An open PostgreSQL: readers in a pool, one writer, one listener."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Self, TypeVar

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from aicompany.errors import BreakerOpen, StoreUnavailable
from aicompany.ports.clock import Clock
from aicompany.ports.event_store import Change, EventRecord
from aicompany.spec.servers import StoreSpec
from aicompany_workers.breakers import GuardedCalls
from aicompany_workers.store.postgres.connection import (
    CONNECT_SECONDS,
    Connection,
    Row,
    conninfo_of,
    place_of,
    set_up,
    unavailable,
)
from aicompany_workers.store.postgres.wakeups import Wakeups
from aicompany_workers.store.postgres.writer import BatchWriter

T = TypeVar("T")

_TRIES = 3
"""Connections of a pool may all be dead after a restart of the server; a query that changes nothing is asked again."""


class PostgresDatabase:
    """What all ports of the store share in one process."""

    def __init__(self, spec: StoreSpec, clock: Clock, calls: GuardedCalls | None = None) -> None:
        self.spec = spec
        self.writer = BatchWriter(spec, clock, connected=self._writes_as)
        # The listener looks for the server by itself, so the breaker need not wait its time out.
        self.wakeups = Wakeups(spec, on_heard=calls.recovered if calls else lambda: None)
        self._calls = calls
        self._pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            conninfo_of(spec, name="reader"),
            min_size=1,
            max_size=spec.connections_max,
            open=False,
            timeout=CONNECT_SECONDS,
            max_waiting=10_000,
            reconnect_timeout=1.0,
            kwargs={"autocommit": True},
            configure=lambda connection: set_up(connection, spec.durability),
        )

    async def open(self) -> Self:
        """Connect. Raises `StoreUnavailable`."""
        try:
            await self._pool.open(wait=True, timeout=CONNECT_SECONDS)
        except PoolTimeout as error:
            await self._pool.close()
            raise StoreUnavailable(f"PostgreSQL at {place_of(self.spec)} cannot be reached") from error
        self.writer.start()
        await self.wakeups.start()
        return self

    def _writes_as(self, backend: int) -> None:
        self.wakeups.own_backend = backend

    async def commit(self, change: Change) -> tuple[EventRecord, ...]:
        """Store the change whole. Raises what the writer raises."""
        return await self._guarded(lambda: self.writer.commit(change))

    async def fetch(self, statement: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> list[Row]:
        """The rows of a statement that may be carried out twice. Raises `StoreUnavailable`."""
        return await self._guarded(lambda: self._fetch(statement, values))

    async def _guarded(self, work: Callable[[], Awaitable[T]]) -> T:
        """What the work returns. A store that is left alone is to its callers a store that is away."""
        if self._calls is None:
            return await work()
        try:
            return await self._calls.call(work)
        except BreakerOpen as error:
            raise StoreUnavailable(error.message, retry_after_seconds=error.retry_after_seconds) from error

    async def _fetch(self, statement: str, values: Sequence[Any] | Mapping[str, Any]) -> list[Row]:
        for tries_left in reversed(range(_TRIES)):
            try:
                async with self._pool.connection() as connection:
                    cursor = await connection.execute(statement, values)
                    return await cursor.fetchall() if cursor.description else []
            except PoolTimeout as error:
                raise unavailable(self.spec, error) from error
            except (psycopg.OperationalError, psycopg.InterfaceError, OSError) as error:
                if not tries_left:
                    raise unavailable(self.spec, error) from error
                await self._pool.check()
        raise AssertionError("the last try returns or raises")

    async def close(self) -> None:
        """Write what waits, then disconnect. Idempotent."""
        await self.writer.close()
        await self.wakeups.stop()
        await self._pool.close()
