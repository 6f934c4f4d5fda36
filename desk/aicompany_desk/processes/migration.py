"""Migrating the event store that the company's file names."""

from pathlib import Path

from aicompany.spec.servers import StoreSpec
from aicompany_workers.store.state_directory import StateDirectory


def migrate_store(spec: StoreSpec, state_path: Path) -> list[str]:
    """Apply what is missing and return the names. Raises `StateUnusable`, `StoreUnavailable`."""
    if spec.url is not None:
        from aicompany_workers.store.postgres.migrations import migrate  # noqa: PLC0415 - loads the driver

        return migrate(spec)
    from aicompany_workers.store.sqlite.migrations import migrate as migrate_file  # noqa: PLC0415 - as above

    state = StateDirectory(state_path)
    state.make()
    return migrate_file(state.store_file)
