"""The rows of an older database, read without changing it, and copies of databases made safely."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aicompany_workers.store.legacy.columns import LegacyUnreadable, Recognised, Shape, recognise

Row = Mapping[str, Any]
"""Values by meaning, and `row`: the place of the row in its table."""


def recognised_in(path: Path, shapes: Sequence[Shape]) -> Recognised:
    """What the database holds. Raises `LegacyUnreadable`."""
    with _opened(path) as connection:
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        tables = {
            name: [column[1] for column in connection.execute(f"PRAGMA table_info({_quoted(name)})")] for name in names
        }
    return recognise(str(path), tables, shapes)


def rows_of(path: Path, recognised: Recognised) -> list[Row]:
    """All rows in the order they were written. Raises `LegacyUnreadable`."""
    names = ["row", *recognised.columns]
    wanted = ", ".join(["rowid", *(_quoted(column) for column in recognised.columns.values())])
    with _opened(path) as connection:
        connection.text_factory = lambda data: data.decode("utf-8", errors="replace")
        found = connection.execute(f"SELECT {wanted} FROM {_quoted(recognised.table)} ORDER BY rowid")
        return [dict(zip(names, values, strict=True)) for values in found]


def copy_database(source: Path, target: Path) -> None:
    """A whole copy, also while somebody uses the source. Raises `LegacyUnreadable`."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with _opened(source) as connection:
        copy = sqlite3.connect(target)
        try:
            connection.backup(copy)
        finally:
            copy.close()


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    if not path.is_file():
        raise LegacyUnreadable(f"{path} is no file; name the older database")
    connection = None
    try:
        connection = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=5)
        yield connection
    except sqlite3.Error as error:
        raise LegacyUnreadable(f"{path} cannot be read as an SQLite database ({error})") from error
    finally:
        if connection is not None:
            connection.close()


def _quoted(name: str) -> str:
    escaped = name.replace('"', '""')
    return f'"{escaped}"'
