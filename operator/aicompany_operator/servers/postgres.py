"""A database and a role per company on PostgreSQL."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import quote, urlsplit

import psycopg
from psycopg import sql

from aicompany_operator.names import CompanyRef, database_name
from aicompany_operator.servers.errors import ServerRefused, ServerUnreachable

_CONNECT_SECONDS = 5
_STATEMENT_MILLISECONDS = 10_000
_TIMEOUTS = f"-c statement_timeout={_STATEMENT_MILLISECONDS} -c lock_timeout={_STATEMENT_MILLISECONDS}"
_THERE_ALREADY = (psycopg.errors.DuplicateDatabase, psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation)


class StorePlaces:
    """Places on one PostgreSQL. The role of `admin_url` may make databases and roles."""

    def __init__(self, admin_url: str) -> None:
        self._admin_url = admin_url
        parts = urlsplit(admin_url)
        self._address = parts.netloc.rpartition("@")[2]
        self._options = f"?{parts.query}" if parts.query else ""

    def __repr__(self) -> str:
        return f"<StorePlaces at {self._address}>"

    async def ensure(self, company: CompanyRef, password: str) -> str:
        """Make the company's role and database where its login does not work yet; the address for it.

        Only the role itself may connect to the database. Safe to be called by two at once. Raises `ServerUnreachable`,
        `ServerRefused`.
        """
        name = database_name(company)
        url = f"postgresql://{name}:{quote(password, safe='')}@{self._address}/{name}{self._options}"
        if not await self._lets_in(url):
            async with self._administering() as connection:
                await self._make_role(connection, name, password)
                await self._make_database(connection, name)
        return url

    async def remove(self, company: CompanyRef) -> None:
        """Take both away, with all rows, and break the connections that stand. Raises as `ensure`."""
        name = sql.Identifier(database_name(company))
        async with self._administering() as connection:
            await connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
            await connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(name))

    async def _lets_in(self, url: str) -> bool:
        try:
            async with await psycopg.AsyncConnection.connect(url, connect_timeout=_CONNECT_SECONDS):
                return True
        except psycopg.OperationalError:
            # Whether it is away or does not know the role: the administrator's own connection will tell.
            return False

    async def _make_role(self, connection: psycopg.AsyncConnection, name: str, password: str) -> None:
        role = sql.Identifier(name)
        # The server hashes it; a prepared parameter cannot stand here, and a literal is quoted by the driver.
        login = sql.SQL("LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD {}").format(sql.Literal(password))
        try:
            await connection.execute(sql.SQL("CREATE ROLE {} {}").format(role, login))
        except _THERE_ALREADY:
            await connection.execute(sql.SQL("ALTER ROLE {} {}").format(role, login))
        # An administrator that is no superuser may give a database only to a role it is a member of.
        await connection.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(role))

    async def _make_database(self, connection: psycopg.AsyncConnection, name: str) -> None:
        database = sql.Identifier(name)
        try:
            # Whatever this server's usual encoding is: the company's text is of all languages.
            made = sql.SQL("CREATE DATABASE {} OWNER {} ENCODING 'UTF8' TEMPLATE template0").format(database, database)
            await connection.execute(made)
        except _THERE_ALREADY:
            await connection.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(database, database))
        await connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database))

    @asynccontextmanager
    async def _administering(self) -> AsyncIterator[psycopg.AsyncConnection]:
        try:
            async with await psycopg.AsyncConnection.connect(
                self._admin_url, autocommit=True, connect_timeout=_CONNECT_SECONDS, options=_TIMEOUTS
            ) as connection:
                yield connection
        except psycopg.OperationalError as error:
            if error.sqlstate is not None and error.sqlstate.startswith("28"):
                raise self._refusal("does not take the operator's login", error) from error
            raise ServerUnreachable(
                f"PostgreSQL at {self._address} does not answer ({error.sqlstate or 'no connection'})"
            ) from error
        except psycopg.Error as error:
            raise self._refusal("does not do what the operator asks", error) from error

    def _refusal(self, what: str, error: psycopg.Error) -> ServerRefused:
        return ServerRefused(
            f"PostgreSQL at {self._address} {what} ({error.sqlstate or type(error).__name__}); the operator's role "
            "needs LOGIN, CREATEDB and CREATEROLE"
        )
