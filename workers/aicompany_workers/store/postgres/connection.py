"""Connections to PostgreSQL, and its errors in the words of the ports."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import TupleRow

from aicompany.errors import StateUnusable, StoreUnavailable
from aicompany.spec.servers import Durability, StoreSpec

Connection = psycopg.AsyncConnection[TupleRow]

CONNECT_SECONDS = 5
STATEMENT_SECONDS = 30
"""Longest time of one statement; nothing the company asks takes a second."""
_SILENT_MS_MAX = 10_000
"""What was sent and not acknowledged by the other machine for so long means that the connection is dead."""
_SYNCHRONOUS = {Durability.POWER_LOSS: "on", Durability.PROCESS_CRASH: "off"}


def conninfo_of(spec: StoreSpec, *, name: str) -> str:
    """What to connect with; `name` is what the server's lists show."""
    return make_conninfo(
        spec.url or "",
        connect_timeout=CONNECT_SECONDS,
        application_name=f"aicompany-{name}",
        tcp_user_timeout=_SILENT_MS_MAX,
        keepalives_idle=5,
        keepalives_interval=5,
        keepalives_count=2,
    )


def fields_of(url: str) -> dict[str, str]:
    """The parts of an address by their names in libpq. Raises `StateUnusable` for one that libpq cannot read."""
    try:
        return {name: str(value) for name, value in conninfo_to_dict(url).items() if value is not None}
    except psycopg.ProgrammingError:
        raise StateUnusable("spec.store.url is no address that PostgreSQL's client can read; correct it") from None


def place_of(spec: StoreSpec) -> str:
    """Host, port and database: never user or password."""
    parts = fields_of(spec.url or "")
    return f"{parts.get('host', 'localhost')}:{parts.get('port', 5432)}/{parts.get('dbname', '')}"


async def connect(spec: StoreSpec, *, name: str, autocommit: bool = False) -> Connection:
    """A connection. Raises `StoreUnavailable`."""
    with explained(spec):
        return await psycopg.AsyncConnection.connect(conninfo_of(spec, name=name), autocommit=autocommit)


async def set_up(connection: Connection, durability: Durability) -> None:
    """Time limits and durability of a session."""
    await connection.execute(f"SET statement_timeout = {STATEMENT_SECONDS * 1000}")
    await connection.execute(f"SET synchronous_commit = {_SYNCHRONOUS[durability]}")


@contextmanager
def explained(spec: StoreSpec) -> Iterator[None]:
    """Turns what the driver raises when the server is away into `StoreUnavailable`."""
    try:
        yield
    except (psycopg.OperationalError, psycopg.InterfaceError, OSError) as error:
        raise unavailable(spec, error) from error


def unavailable(spec: StoreSpec, error: BaseException) -> StoreUnavailable:
    """A sentence with the place and the driver's own words, which hold no password."""
    words = str(error).strip().splitlines()
    return StoreUnavailable(
        f"PostgreSQL at {place_of(spec)} cannot be used: {words[0] if words else type(error).__name__}"
    )


Row = tuple[Any, ...]
