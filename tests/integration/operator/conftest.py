"""Servers as an operator's are: RabbitMQ with its management API, PostgreSQL that asks for passwords."""

import itertools
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from aiohttp import web
from psycopg import sql
from tests.servers.postgres import postgres_server
from tests.servers.rabbitmq import RabbitServer, rabbitmq_server
from tests.servers.server import Server, ServerMissing
from tests.waiting import eventually

from aicompany_operator.names import CompanyRef

_numbers = itertools.count(1)
SECRET = "s3cret/of:the@operator%"


@pytest.fixture
def make_company() -> Callable[[], CompanyRef]:
    """Companies that nobody had before."""

    def make() -> CompanyRef:
        number = next(_numbers)
        return CompanyRef("some-team", f"acme-{number}", f"uid-{number}")

    return make


@pytest.fixture(scope="session")
def broker() -> Iterator[RabbitServer]:
    """A RabbitMQ with management and metrics, shared; nobody stops it."""
    yield from _running(lambda place: rabbitmq_server(place, plugins=True))


@pytest.fixture(scope="session")
def _strict_postgres() -> Iterator[Server]:
    yield from _running(postgres_server)


@pytest.fixture(scope="session")
def database(_strict_postgres: Server) -> str:
    """The administrator's address on a PostgreSQL that lets nobody in without a password."""
    with psycopg.connect(_strict_postgres.url, autocommit=True) as connection:
        connection.execute(sql.SQL("ALTER ROLE postgres PASSWORD {}").format(sql.Literal(SECRET)))
        connection.execute("CREATE ROLE maker LOGIN CREATEDB CREATEROLE")
        connection.execute(sql.SQL("ALTER ROLE maker PASSWORD {}").format(sql.Literal(SECRET)))
        shown = connection.execute("SHOW hba_file").fetchone()
        assert shown
        copy = "COPY (SELECT 'host all all all scram-sha-256') TO {}"
        connection.execute(sql.SQL(copy).format(sql.Literal(shown[0])))
        connection.execute("SELECT pg_reload_conf()")
    return _strict_postgres.url.replace("postgres@", f"postgres:{quote(SECRET, safe='')}@")


@pytest.fixture(params=["postgres", "maker"])
async def admin_url(request: pytest.FixtureRequest, database: str) -> str:
    """Once as superuser, once as a role that may only make databases and roles."""
    await eventually(lambda: not can_log_in(database.replace(quote(SECRET, safe=""), "wrong")))
    return database.replace("postgres:", f"{request.param}:")


def can_log_in(url: str) -> bool:
    """Whether PostgreSQL lets the address's role in its database."""
    try:
        psycopg.connect(url, connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True


@asynccontextmanager
async def serving(answer: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[str]:
    """A real HTTP server that answers everything so; its address."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def _running(make: Callable[[Path], Server]) -> Iterator[Server]:
    with tempfile.TemporaryDirectory(prefix="aicompany-server-", ignore_cleanup_errors=True) as place:
        try:
            server = make(Path(place))
        except ServerMissing as error:
            pytest.skip(str(error))
        try:
            server.start()
            yield server
        finally:
            server.end()
