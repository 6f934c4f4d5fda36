"""One SQLite file, written by one thread in groups, read by others.

Group commit: the writer takes all jobs that wait, runs each in a savepoint of its own inside one transaction, and
commits once. A job that raises is rolled back alone; a commit that fails fails all jobs of its group. So the price of
forcing the disk is shared by everybody who waits, and a caller that is alone pays it alone.

Source of the settings: https://www.sqlite.org/wal.html and https://www.sqlite.org/pragma.html#pragma_synchronous.
"""

import asyncio
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, TypeVar

from aicompany.errors import AICompanyError, StateUnusable, StoreUnavailable
from aicompany.spec.servers import Durability

T = TypeVar("T")

_READERS = 2
_GROUP_MAX = 512
"""Jobs of one group: bounds how long a transaction may get."""
_WAITING_MAX = 20_000
"""Jobs that may wait: more means that something writes without waiting for its result."""
_BUSY_SECONDS = 10.0
_STOP_SECONDS = 30.0

_SYNCHRONOUS = {Durability.POWER_LOSS: "FULL", Durability.PROCESS_CRASH: "NORMAL"}


@dataclass(slots=True)
class _Job:
    work: Callable[[sqlite3.Connection], Any]
    done: asyncio.Future[Any]
    loop: asyncio.AbstractEventLoop
    result: Any = None
    error: BaseException | None = None


class SqliteDatabase:
    """An open database. `write` and `read` run plain functions on a connection, off the event loop."""

    def __init__(self, path: Path, *, durability: Durability = Durability.POWER_LOSS, read_only: bool = False) -> None:
        self.path = path
        self._durability = durability
        self._read_only = read_only
        self._jobs: deque[_Job] = deque()
        self._wake = threading.Condition()
        self._closing = False
        self._writer: threading.Thread | None = None
        self._readers: ThreadPoolExecutor | None = None
        self._reader_connection = threading.local()
        self._opened: list[sqlite3.Connection] = []

    async def open(self) -> Self:
        """Connect. Raises `StateUnusable` when the file cannot be used."""
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="store-reader")
        if not self._read_only:
            connection = await asyncio.to_thread(self._connect)
            self._writer = threading.Thread(
                target=self._write_until_closed, args=(connection,), name="store-writer", daemon=True
            )
            self._writer.start()
        return self

    async def write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` in the next group and return its result once that is committed.

        `work` must only use the connection; when it raises, it leaves no trace and the error comes out here.
        Cancelling the caller does not take back what was handed in. Raises `StoreUnavailable`, `StateUnusable`.
        """
        loop = asyncio.get_running_loop()
        job = _Job(work, loop.create_future(), loop)
        with self._wake:
            if self._closing or self._writer is None:
                raise StoreUnavailable(f"the store {self.path.name} is closed")
            if len(self._jobs) >= _WAITING_MAX:
                raise StoreUnavailable(f"{_WAITING_MAX} writes wait for the store {self.path.name} already")
            self._jobs.append(job)
            self._wake.notify()
        result: T = await job.done
        return result

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run `work` on a reader's connection, which sees everything that was committed before."""
        if self._readers is None:
            raise StoreUnavailable(f"the store {self.path.name} is closed")
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, work)

    async def close(self) -> None:
        """Write what waits, then disconnect. Idempotent."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        if self._writer is not None:
            await asyncio.to_thread(self._writer.join, _STOP_SECONDS)
            self._writer = None
        if self._readers is not None:
            readers, self._readers = self._readers, None
            await asyncio.to_thread(readers.shutdown)
            for connection in self._opened:
                connection.close()
            self._opened.clear()

    def _connect(self) -> sqlite3.Connection:
        try:
            if self._read_only:
                # Not "immutable": the owner may be writing at this moment.
                connection = sqlite3.connect(
                    f"file:{self.path}?mode=ro", uri=True, isolation_level=None, timeout=_BUSY_SECONDS,
                    check_same_thread=False,
                )  # fmt: skip
            else:
                connection = sqlite3.connect(
                    self.path, isolation_level=None, timeout=_BUSY_SECONDS, check_same_thread=False
                )
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute(f"PRAGMA synchronous = {_SYNCHRONOUS[self._durability]}")
                connection.execute("PRAGMA journal_size_limit = 67108864")
            connection.execute("PRAGMA cache_size = -16384")
            connection.execute("PRAGMA temp_store = MEMORY")
            connection.execute("PRAGMA recursive_triggers = OFF")
        except sqlite3.Error as error:
            raise self.explained(error) from error
        return connection

    def _read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        connection = getattr(self._reader_connection, "value", None)
        if connection is None:
            connection = self._reader_connection.value = self._connect()
            self._opened.append(connection)
        try:
            return work(connection)
        except sqlite3.Error as error:
            raise self.explained(error) from error

    def _write_until_closed(self, connection: sqlite3.Connection) -> None:
        try:
            while group := self._next_group():
                self._run_group(connection, group)
                _tell(group)
        finally:
            connection.close()

    def _next_group(self) -> list[_Job]:
        with self._wake:
            while not self._jobs and not self._closing:
                self._wake.wait()
            return [self._jobs.popleft() for _ in range(min(len(self._jobs), _GROUP_MAX))]

    def _run_group(self, connection: sqlite3.Connection, group: list[_Job]) -> None:
        try:
            connection.execute("BEGIN IMMEDIATE")
            for job in group:
                self._run_job(connection, job)
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            explained = self.explained(error)
            for job in group:
                job.error = job.error or explained

    def _run_job(self, connection: sqlite3.Connection, job: _Job) -> None:
        connection.execute("SAVEPOINT job")
        try:
            job.result = job.work(connection)
        except sqlite3.OperationalError as error:
            # The disk is full or broken: SQLite may have rolled the transaction back by itself.
            job.error = self.explained(error)
            if not connection.in_transaction:
                raise
            connection.execute("ROLLBACK TO job")
        except Exception as error:  # noqa: BLE001 - the job's own error goes to whoever handed it in
            job.error = error
            connection.execute("ROLLBACK TO job")
        connection.execute("RELEASE job")

    def explained(self, error: sqlite3.Error) -> AICompanyError:
        """A SQLite error as one of ours, naming the file and the way out."""
        text = str(error).lower()
        where = f"the state file {self.path}"
        if "readonly" in text or "read-only" in text:
            return StateUnusable(f"{where} is read-only; make it writable or name another directory with --state")
        if "full" in text or "disk i/o" in text:
            return StoreUnavailable(f"{where} cannot grow ({error}); free space on its disk", retry_after_seconds=5)
        if "not a database" in text or "malformed" in text:
            return StateUnusable(f"{where} is no database of a company; name another directory with --state")
        if "unable to open" in text:
            return StateUnusable(f"{where} cannot be opened; check the directory, or name another with --state")
        return StoreUnavailable(f"{where} did not answer ({error})", retry_after_seconds=1)


def _tell(group: list[_Job]) -> None:
    """Hand the results over, with one wake-up for each event loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[_Job]] = {}
    for job in group:
        by_loop.setdefault(job.loop, []).append(job)
    for loop, jobs in by_loop.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(_settle, jobs)


def _settle(jobs: list[_Job]) -> None:
    for job in jobs:
        if job.done.done():
            continue
        if job.error is not None:
            job.done.set_exception(job.error)
        else:
            job.done.set_result(job.result)
