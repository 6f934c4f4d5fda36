"""Bringing a database to the schema of this program, with yoyo-migrations.

yoyo is only loaded when something has to be applied, so that opening a current database costs one look-up.
"""

import warnings
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg

from aicompany.errors import StateUnusable
from aicompany.spec.servers import StoreSpec
from aicompany_workers.store.postgres.connection import conninfo_of, explained, place_of

_DIRECTORY = Path(__file__).parent / "migrations"
_LOCK = 0x41_49_43_4F_4D_01
"""Of the advisory lock that one migrating process holds; the server frees it when that process is gone."""


def known_migrations() -> list[str]:
    """Names of this program's migrations, in order."""
    return sorted(path.stem for path in _DIRECTORY.glob("*.sql"))


def migrate(spec: StoreSpec) -> list[str]:
    """Apply what is missing and return the names of what was applied. Safe when several processes do it at once.

    Raises `StoreUnavailable`, and `StateUnusable` for a database that a newer version wrote, that may not be changed or
    that cannot hold the text of all languages.
    """
    with explained(spec), psycopg.connect(conninfo_of(spec, name="migrate"), autocommit=True) as connection:
        _need_utf8(connection, spec)
        if not _missing(connection, spec):
            return []
        connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
        missing = _missing(connection, spec)
        if missing:
            try:
                _apply(spec)
            except psycopg.errors.InsufficientPrivilege as error:
                raise StateUnusable(
                    f"the database {place_of(spec)} may not be changed by this user ({error}); grant CREATE on it, "
                    "or run `aicompany migrate` as its owner"
                ) from error
        return missing


def _need_utf8(connection: psycopg.Connection, spec: StoreSpec) -> None:
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise StateUnusable(
            f"the database {place_of(spec)} keeps text as {encoding}; make one with ENCODING 'UTF8' TEMPLATE template0 "
            "and name that"
        )


def _missing(connection: psycopg.Connection, spec: StoreSpec) -> list[str]:
    (table,) = connection.execute("SELECT to_regclass('_yoyo_migration')").fetchone() or (None,)
    rows = connection.execute("SELECT migration_id FROM _yoyo_migration").fetchall() if table else []
    applied = {row[0] for row in rows}
    known = known_migrations()
    foreign = sorted(applied - set(known))
    if foreign:
        raise StateUnusable(
            f"the database {place_of(spec)} was written by a newer version (it has {foreign[-1]}); "
            "install that version, or name another database in spec.store.url"
        )
    return [name for name in known if name not in applied]


def _apply(spec: StoreSpec) -> None:
    from yoyo import get_backend, read_migrations  # noqa: PLC0415 - see the module's first lines

    parts = urlsplit(spec.url or "")
    address = urlunsplit(("postgresql+psycopg", *parts[1:]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        backend = get_backend(address)
        try:
            backend.ensure_internal_schema_updated()
            # yoyo itself commits a migration and the note of it one after the other, on two connections, and a process
            # killed between them leaves a schema that nobody can start on; here it is all or nothing. Its log wants a
            # user's name, which a container may not have.
            with backend.transaction():
                for migration in backend.to_apply(read_migrations(str(_DIRECTORY))):
                    migration.process_steps(backend, "apply")
                    backend.mark_one(migration, log=False)
        finally:
            backend.connection.close()
