"""The stores and brokers that the contracts are run against."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from aicompany_workers.store.sqlite.database import SqliteDatabase
from aicompany_workers.store.sqlite.migrations import migrate


@pytest.fixture
async def sqlite_database(tmp_path: Path) -> AsyncIterator[SqliteDatabase]:
    """An empty store of the present schema."""
    path = tmp_path / "company.db"
    migrate(path)
    database = await SqliteDatabase(path).open()
    yield database
    await database.close()
