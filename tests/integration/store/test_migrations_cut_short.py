"""A migration that is cut short leaves nothing behind, and needs no user name."""

import subprocess
import sys

import psycopg
import pytest

from aicompany.spec.servers import StoreSpec
from aicompany_workers.store.postgres import migrations

MIGRATE = """
import pwd, sys
from aicompany.spec.servers import StoreSpec
from aicompany_workers.store.postgres.migrations import migrate

def unknown(uid):
    raise KeyError(f"uid not found: {uid}")

pwd.getpwuid = unknown  # as in a container whose user stands in no file
print(migrate(StoreSpec(url=sys.argv[1])))
"""


def test_it_is_all_or_nothing(postgres_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path):
    broken = tmp_path / "migrations"
    broken.mkdir()
    for name in migrations.known_migrations():
        (broken / f"{name}.sql").write_text((migrations._DIRECTORY / f"{name}.sql").read_text())
    (broken / "9999_broken.sql").write_text("CREATE TABLE nonsense (")
    whole = migrations._DIRECTORY
    monkeypatch.setattr(migrations, "_DIRECTORY", broken)
    with pytest.raises(psycopg.errors.SyntaxError):
        migrations.migrate(StoreSpec(url=postgres_url))
    with psycopg.connect(postgres_url) as connection:
        assert connection.execute("SELECT to_regclass('events')").fetchone() == (None,)
    monkeypatch.setattr(migrations, "_DIRECTORY", whole)
    assert migrations.migrate(StoreSpec(url=postgres_url)) == migrations.known_migrations()


def test_a_process_without_a_user_name_can_migrate(postgres_url: str):
    command = [sys.executable, "-c", MIGRATE, postgres_url]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60, env={"PATH": "/usr/bin"})
    assert done.returncode == 0, done.stderr
    assert "0001_events" in done.stdout
