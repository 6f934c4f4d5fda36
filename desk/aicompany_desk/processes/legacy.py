"""Importing the predecessor's databases: look, back up, append, compare."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from aicompany.errors import AlreadyHandled, UserError, VersionConflict
from aicompany.ports.event_store import AggregateType, CompanyQueries
from aicompany.spec.company import CompanySpec
from aicompany.spec.servers import StoreSpec
from aicompany_desk.assembly.servers import open_store
from aicompany_workers.clock import SystemClock
from aicompany_workers.store.legacy.columns import CONVERSATIONS, TASKS, Recognised
from aicompany_workers.store.legacy.events import LegacyAggregate, conversations_of, tasks_of
from aicompany_workers.store.legacy.reading import copy_database, recognised_in, rows_of
from aicompany_workers.store.state_directory import StateDirectory

_SAMPLES = 50
_DUMP_SECONDS = 3600
_AT_ONCE = 50


class BackupImpossible(UserError):
    """No backup of the target can be made here."""

    code = "backup_impossible"


@dataclass(frozen=True, slots=True)
class Found:
    """What the older databases hold."""

    conversations: tuple[Recognised, list[LegacyAggregate]]
    tasks: tuple[Recognised, list[LegacyAggregate]]


@dataclass(frozen=True, slots=True)
class Imported:
    """What came of one of the two."""

    what: str
    found: int
    added: int
    known_before: int
    stored: int
    """Of the found ones, those that the store has now."""
    compared: int
    differing: tuple[str, ...]
    """Ids of compared ones whose text or state is not that of the source."""

    @property
    def is_whole(self) -> bool:
        """Whether everything is there and what was compared is the same."""
        return self.found == self.stored and not self.differing


def look(conversations: Path, tasks: Path) -> Found:
    """Read both. Raises `LegacyUnreadable`; nothing is changed."""
    talk, work = recognised_in(conversations, CONVERSATIONS), recognised_in(tasks, TASKS)
    return Found(
        (talk, conversations_of(rows_of(conversations, talk), talk)), (work, tasks_of(rows_of(tasks, work), work))
    )


def back_up(sources: Sequence[Path], spec: StoreSpec, state: StateDirectory, now: datetime) -> Path:
    """Copies of the sources and of the target store; the directory they are in. Raises `BackupImpossible`."""
    directory = state.path / "backups" / now.strftime("%Y%m%dT%H%M%SZ")
    state.make()
    directory.mkdir(parents=True, exist_ok=True)
    for source in sources:
        copy_database(source, directory / source.name)
    if spec.url is not None:
        _dump(spec.url, directory / "store.dump")
    elif state.store_file.exists():
        copy_database(state.store_file, directory / f"before-{state.store_file.name}")
    return directory


def _dump(url: str, target: Path) -> None:
    program = shutil.which("pg_dump")
    if program is None:
        raise BackupImpossible(
            "pg_dump is not here, so PostgreSQL cannot be backed up first; install postgresql-client, or make a backup "
            "yourself and say --no-backup"
        )
    # Not as an argument, which would show the password to everybody on this machine.
    service = target.with_name("service.conf")
    from aicompany_workers.store.postgres.connection import fields_of  # noqa: PLC0415 - loads the driver

    fields = fields_of(url)
    service.touch(mode=0o600)
    service.write_text("[target]\n" + "".join(f"{name}={value}\n" for name, value in fields.items()), encoding="utf-8")
    environment = {**os.environ, "PGSERVICEFILE": str(service), "PGSERVICE": "target"}
    command = [program, "--format=custom", f"--file={target}"]
    done = subprocess.run(  # noqa: S603 - found by its name, no argument is anybody's
        command, env=environment, capture_output=True, text=True, timeout=_DUMP_SECONDS, check=False
    )
    service.unlink()
    if done.returncode != 0:
        raise BackupImpossible("pg_dump could not back the database up; make a backup yourself and say --no-backup")


async def import_found(
    found: Found, spec: CompanySpec, state: StateDirectory, *, advanced: Callable[[], None]
) -> list[Imported]:
    """Append what is not there yet, then compare. Raises what opening the store raises."""
    async with AsyncExitStack() as stack:
        state.make()
        if spec.store.url is None:
            state.acquire()
            stack.callback(state.release)
        kept = await stack.enter_async_context(open_store(spec, state, SystemClock()))
        outcomes = []
        for what, (_, aggregates) in (("conversations", found.conversations), ("tasks", found.tasks)):
            added = 0
            for start in range(0, len(aggregates), _AT_ONCE):
                part = aggregates[start : start + _AT_ONCE]
                done = await asyncio.gather(*(kept.store.commit(each.change) for each in part), return_exceptions=True)
                for result in done:
                    if isinstance(result, BaseException) and not isinstance(result, AlreadyHandled | VersionConflict):
                        raise result
                    added += not isinstance(result, BaseException)
                    advanced()
            outcomes.append(await _compared(what, aggregates, added, kept.queries))
        return outcomes


async def _compared(what: str, aggregates: Sequence[LegacyAggregate], added: int, queries: CompanyQueries) -> Imported:
    every = max(1, len(aggregates) // _SAMPLES)
    stored, differing = 0, []
    for place, aggregate in enumerate(aggregates):
        summary = await _summary_of(aggregate, queries)
        stored += summary is not None
        if place % every == 0 and summary is not None and summary != aggregate.summary:
            differing.append(aggregate.aggregate.id)
    compared = len(range(0, len(aggregates), every))
    return Imported(what, len(aggregates), added, len(aggregates) - added, stored, compared, tuple(differing))


async def _summary_of(aggregate: LegacyAggregate, queries: CompanyQueries) -> tuple[str, str | int] | None:
    if aggregate.aggregate.type is AggregateType.TASK:
        task = await queries.task(aggregate.aggregate.id)
        return (task.prompt, task.state) if task else None
    conversation = await queries.conversation(aggregate.aggregate.id)
    return (conversation.last_text or "", conversation.turns) if conversation else None
