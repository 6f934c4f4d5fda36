"""Wake-ups: what other processes commit is heard over one connection that listens."""

import asyncio
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress

import psycopg
import structlog

from aicompany.errors import StoreUnavailable
from aicompany.spec.servers import StoreSpec
from aicompany_workers.store.changes import WokenChanges
from aicompany_workers.store.postgres.batch import CHANNEL, EVERYTHING
from aicompany_workers.store.postgres.connection import CONNECT_SECONDS, connect

_PAUSE_SECONDS = (0.2, 2.0)

log = structlog.get_logger()


class Wakeups:
    """Those who watch in this process, and the ear that hears other processes."""

    def __init__(self, spec: StoreSpec, *, on_heard: Callable[[], None] = lambda: None) -> None:
        self._spec = spec
        self._on_heard = on_heard
        self._watchers: dict[str, set[asyncio.Event]] = defaultdict(set)
        self._listening = asyncio.Event()
        self.own_backend: int | None = None
        """Of this process's writer: what it commits is told here directly, and need not be heard again."""
        self._running: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to listen; returns when it does, or when that takes too long for now."""
        self._running = asyncio.create_task(self._listen_until_cancelled(), name="store-listener")
        with suppress(TimeoutError):
            async with asyncio.timeout(CONNECT_SECONDS):
                await self._listening.wait()

    async def stop(self) -> None:
        """End. Idempotent."""
        running, self._running = self._running, None
        if running is not None:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running

    @contextmanager
    def watch(self, watched_id: str) -> Iterator[WokenChanges]:
        """Wake-ups for one order or conversation."""
        changes = WokenChanges()
        self._watchers[watched_id].add(changes.happened)
        try:
            yield changes
        finally:
            self._watchers[watched_id].discard(changes.happened)
            if not self._watchers[watched_id]:
                del self._watchers[watched_id]

    def wake(self, names: Iterable[str]) -> None:
        """Wake who watches these."""
        if self._watchers:
            for name in names:
                for happened in self._watchers.get(name, ()):
                    happened.set()

    def _wake_all(self) -> None:
        self.wake(list(self._watchers))

    async def _listen_until_cancelled(self) -> None:
        while True:
            try:
                await self._listen()
            except (psycopg.Error, OSError, StoreUnavailable) as error:
                log.warning("store.listener_lost", reason=type(error).__name__)
            await asyncio.sleep(random.uniform(*_PAUSE_SECONDS))  # noqa: S311 - no secret

    async def _listen(self) -> None:
        connection = await connect(self._spec, name="listener", autocommit=True)
        async with connection:
            await connection.execute(f"LISTEN {CHANNEL}")
            # Something may have happened while nobody listened.
            self._wake_all()
            self._listening.set()
            self._on_heard()
            async for notice in connection.notifies():
                if notice.pid == self.own_backend:
                    continue
                if notice.payload == EVERYTHING:
                    self._wake_all()
                else:
                    self.wake(notice.payload.split(","))
