"""Notices as lines of a file, and in the log."""

import asyncio
import json
import os
from dataclasses import asdict
from pathlib import Path

import structlog

from aicompany.ports.notifier import Notice

log = structlog.get_logger()


class LogNotifier:
    """`ports.notifier.Notifier` that appends a JSON line a notice to a file, each notice once.

    A line is one `write` to a file opened for appending, so that a crash leaves the whole line or none of it.
    """

    name = "log"

    def __init__(self, path: Path) -> None:
        self._path = path
        self._told: set[str] | None = None
        self._lock = asyncio.Lock()

    async def notify(self, notice: Notice) -> str:
        """Append the line unless it is there."""
        async with self._lock:
            if self._told is None:
                self._told = await asyncio.to_thread(self._read_told)
            if notice.id not in self._told:
                await asyncio.to_thread(self._append, notice)
                self._told.add(notice.id)
                log.info("notice.told", kind=notice.kind.value, title=notice.title, reference=notice.reference)
        return f"{self._path.name}#{notice.id}"

    def _read_told(self) -> set[str]:
        if not self._path.exists():
            return set()
        with self._path.open(encoding="utf-8") as lines:
            return {json.loads(line)["id"] for line in lines if line.endswith("\n")}

    def _append(self, notice: Notice) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        line = json.dumps(asdict(notice), ensure_ascii=False) + "\n"
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(descriptor, line.encode())
        finally:
            os.close(descriptor)
