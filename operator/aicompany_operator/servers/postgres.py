"""A database and a role per company on PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import psycopg
from psycopg import sql

from aicompany_operator.names import CompanyRef, database_name
from aicompany_operator.servers.errors import ServerRefused, ServerUnreachable
from aicompany_operator.servers.owners import PlaceTaken, is_anothers, mark_of, owner_in

_CONNECT_SECONDS = 5
_STATEMENT_MILLISECONDS = 10_000
_WHOLE_SECONDS = 20
"""Of all statements together, should the server fall silent in the middle."""
# Only the catalogue's functions: a role that may connect where the administrator does could have left others there.
_OPTIONS = (
    f"-c statement_timeout={_STATEMENT_MILLISECONDS} -c lock_timeout={_STATEMENT_MILLISECONDS} "
    "-c search_path=pg_catalog,pg_temp"
)
_SHARED = {"sslmode", "sslrootcert", "sslnegotiation", "channel_binding", "gssencmode", "target_session_attrs"}
"""Options of the administrator's address that are the server's; the others may hold a login."""
_IS_CLOSED_AND_MARKED = """
SELECT pg_get_userbyid(datdba) = current_user AND NOT has_database_privilege('public', oid, 'CONNECT')
AND shobj_description(oid, 'pg_database') IS NOT DISTINCT FROM %s
FROM pg_database WHERE datname = current_database()
"""
_COMMENT = "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s"


class StorePlaces:
    """Places on one PostgreSQL. The role of `admin_url` may make databases and roles."""

    def __init__(self, admin_url: str) -> None:
        self._admin_url = admin_url
        parts = urlsplit(admin_url)
        self._address = parts.netloc.rpartition("@")[2]
        options = [(name, value) for name, value in parse_qsl(parts.query) if name in _SHARED]
        self._options = f"?{urlencode(options)}" if options else ""

    def __repr__(self) -> str:
        return f"<StorePlaces at {self._address}>"

    async def ensure(self, company: CompanyRef, password: str) -> str:
        """Make the company's role and database where its login does not work yet; the address for it.

        Of the companies' roles only its own may connect to the database. Databases that are not companies' stay as
        their owner has them. The database bears the company's mark; one without a mark is taken. Safe to be called
        by two at once. Raises `ServerUnreachable`, `ServerRefused`, and `PlaceTaken` for one with another's mark.
        """
        name = database_name(company)
        url = f"postgresql://{name}:{quote(password, safe='')}@{self._address}/{name}{self._options}"
        if not await self._is_right(url, mark_of(company)):
            async with self._administering(name) as connection:
                comment = await self._comment(connection, name)
                if is_anothers(comment, company):
                    raise self._taken(name, comment)
                await self._make_role(connection, name, password)
                await self._make_database(connection, name, mark_of(company))
        return url

    async def remove(self, company: CompanyRef) -> None:
        """Take both away, with all rows, and break the connections that stand; what is another's stays.

        Raises `ServerUnreachable`, `ServerRefused`.
        """
        name = database_name(company)
        async with self._administering(name) as connection:
            if is_anothers(await self._comment(connection, name), company):
                return
            identifier = sql.Identifier(name)
            await connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(identifier))
            await connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(identifier))

    async def _is_right(self, url: str, mark: str) -> bool:
        """Whether the login works, nobody else's does, and the mark is there; an operator may have died between."""
        try:
            async with (
                asyncio.timeout(_WHOLE_SECONDS),
                await psycopg.AsyncConnection.connect(
                    url, connect_timeout=_CONNECT_SECONDS, options=_OPTIONS
                ) as connection,
            ):
                row = await (await connection.execute(_IS_CLOSED_AND_MARKED, (mark,))).fetchone()
                return row == (True,)
        except (psycopg.Error, TimeoutError):
            # Whether it is away or does not know the role: the administrator's own connection will tell.
            return False

    async def _comment(self, connection: psycopg.AsyncConnection, name: str) -> str | None:
        """Of the database; `None` without one, or without a database."""
        row = await (await connection.execute(_COMMENT, (name,))).fetchone()
        return row[0] if row else None

    async def _make_role(self, connection: psycopg.AsyncConnection, name: str, password: str) -> None:
        role = sql.Identifier(name)
        # The server hashes it; a prepared parameter cannot stand here, and a literal is quoted by the driver.
        login = sql.SQL("LOGIN NOCREATEDB NOCREATEROLE PASSWORD {}").format(sql.Literal(password))
        # Looked up first: a CREATE that fails would stand in the server's log, with the password.
        found = await connection.execute("SELECT FROM pg_roles WHERE rolname = %s", (name,))
        verb = sql.SQL("ALTER" if found.rowcount else "CREATE")
        # No NOSUPERUSER: a new role is none, and only a superuser may say so of one that is there.
        await connection.execute(sql.SQL("{} ROLE {} {}").format(verb, role, login))
        # An administrator that is no superuser may give a database only to a role it is a member of.
        await connection.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(role))

    async def _make_database(self, connection: psycopg.AsyncConnection, name: str, mark: str) -> None:
        database = sql.Identifier(name)
        found = await connection.execute("SELECT FROM pg_database WHERE datname = %s", (name,))
        if found.rowcount:
            await connection.execute(sql.SQL("ALTER DATABASE {} OWNER TO {}").format(database, database))
        else:
            # Whatever this server's usual encoding is: the company's text is of all languages.
            made = sql.SQL("CREATE DATABASE {} OWNER {} ENCODING 'UTF8' TEMPLATE template0").format(database, database)
            await connection.execute(made)
        await connection.execute(sql.SQL("COMMENT ON DATABASE {} IS {}").format(database, sql.Literal(mark)))
        await connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database))

    @asynccontextmanager
    async def _administering(self, name: str) -> AsyncIterator[psycopg.AsyncConnection]:
        """The administrator's connection, for one place at a time: PostgreSQL lets two changes of a role collide.

        What PostgreSQL says is not passed on as a cause: it repeats statements and addresses, with their passwords.
        """
        try:
            async with asyncio.timeout(_WHOLE_SECONDS), await self._connected() as connection:
                # Let go of with the connection.
                await connection.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", (name,))
                yield connection
        except psycopg.OperationalError as error:
            raise ServerUnreachable(
                f"PostgreSQL at {self._address} does not answer ({error.sqlstate or 'no connection'})"
            ) from None
        except TimeoutError:
            raise ServerUnreachable(f"PostgreSQL at {self._address} does not answer in time") from None
        except psycopg.Error as error:
            raise self._refusal("does not do what the operator asks", error) from None

    async def _connected(self) -> psycopg.AsyncConnection:
        try:
            return await psycopg.AsyncConnection.connect(
                self._admin_url, autocommit=True, connect_timeout=_CONNECT_SECONDS, options=_OPTIONS
            )
        except psycopg.OperationalError as error:
            # Libpq gives no SQLSTATE here, and its text is in the server's language. What it tells is whether the
            # server asked for the password before it ended the connection.
            if error.pgconn is not None and error.pgconn.used_password:
                raise self._refusal("does not take the operator's login", error) from None
            raise

    def _refusal(self, what: str, error: psycopg.Error) -> ServerRefused:
        return ServerRefused(
            f"PostgreSQL at {self._address} {what} ({error.sqlstate or type(error).__name__}); the operator's role "
            "needs LOGIN, CREATEDB and CREATEROLE"
        )

    def _taken(self, name: str, comment: str | None) -> PlaceTaken:
        return PlaceTaken(
            f"PostgreSQL at {self._address} has a database {name} of another company (uid {owner_in(comment)}); remove "
            "or rename the database and its role, or name the company otherwise; should its data be this company's, "
            f"COMMENT ON DATABASE {name} IS NULL gives it over"
        )
