"""Bringing a state file to the schema of this program, with yoyo-migrations.

yoyo is only loaded when something has to be applied, so that opening a current file costs one look-up.
"""

import fcntl
import sqlite3
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aicompany.errors import StateUnusable

_DIRECTORY = Path(__file__).parent / "migrations"


def known_migrations() -> list[str]:
    """Names of this program's migrations, in order."""
    return sorted(path.stem for path in _DIRECTORY.glob("*.sql"))


def migrate(path: Path) -> list[str]:
    """Apply what is missing to the file, making it if need be, and return the names of what was applied.

    Safe when several processes do it at once. Raises `StateUnusable` for a file that a newer version wrote, that is
    no database, or that cannot be written.
    """
    missing = _missing(path)
    if missing:
        _apply(path)
    return missing


def check_schema(path: Path) -> None:
    """Raises `StateUnusable` unless the file has exactly this program's schema; changes nothing."""
    if _missing(path):
        raise StateUnusable(
            f"the state file {path} was written by an older version; run `aicompany up` once to bring it up to date"
        )


def _missing(path: Path) -> list[str]:
    known = known_migrations()
    applied = _applied(path)
    foreign = sorted(set(applied) - set(known))
    if foreign:
        raise StateUnusable(
            f"the state file {path} was written by a newer version (it has {foreign[-1]}); "
            "install that version, or name another directory with --state"
        )
    return [name for name in known if name not in applied]


def _applied(path: Path) -> list[str]:
    if not path.exists() or path.stat().st_size == 0:
        return []
    try:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            tables = connection.execute("SELECT 1 FROM sqlite_master WHERE name = '_yoyo_migration'").fetchall()
            rows = connection.execute("SELECT migration_id FROM _yoyo_migration").fetchall() if tables else []
        finally:
            connection.close()
    except sqlite3.OperationalError:
        # Being written for the first time by somebody else: yoyo waits for its lock and looks again.
        return []
    except sqlite3.DatabaseError as error:
        raise StateUnusable(
            f"the state file {path} is no database of a company; name another directory with --state"
        ) from error
    return [row[0] for row in rows]


@contextmanager
def _one_at_a_time(path: Path) -> Iterator[None]:
    """Hold the file's migration lock; it is free again when this process ends, however it ends."""
    with path.with_name(f"{path.name}.migrating").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _copied(path: Path) -> Path:
    """A copy to migrate, which takes the file's place when it is whole: a process killed meanwhile leaves the old."""
    part = path.with_name(f"{path.name}.part")
    for leftover in (part, part.with_name(f"{part.name}-journal")):
        leftover.unlink(missing_ok=True)
    if path.exists() and path.stat().st_size:
        source, target = sqlite3.connect(path), sqlite3.connect(part)
        try:
            # What stands beside the file in its log would otherwise be read into the new one.
            source.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            source.backup(target)
        finally:
            source.close()
            target.close()
    return part


def _apply(path: Path) -> None:
    from yoyo import get_backend, read_migrations  # noqa: PLC0415 - see the module's first lines

    try:
        with warnings.catch_warnings():
            # yoyo notes the time of a migration through sqlite3's default adapter, which Python 3.12 warns of.
            warnings.filterwarnings("ignore", "The default datetime adapter", DeprecationWarning)
            with _one_at_a_time(path):
                part = _copied(path)
                backend = get_backend(f"sqlite:///{part}")
                try:
                    backend.ensure_internal_schema_updated()
                    for migration in backend.to_apply(read_migrations(str(_DIRECTORY))):
                        with backend.copy() as own:
                            migration.process_steps(own, "apply")
                        # yoyo's log wants a user's name, which a container may not have.
                        with backend.transaction():
                            backend.mark_one(migration, log=False)
                finally:
                    backend.connection.close()
                part.replace(path)
    except (OSError, sqlite3.OperationalError) as error:
        raise StateUnusable(
            f"the state file {path} cannot be written ({error}); check the directory, or name another with --state"
        ) from error
