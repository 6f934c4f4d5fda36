"""Notices as lines of a file, and in the log."""

import asyncio
import errno
import json
import os
from dataclasses import asdict
from pathlib import Path

import structlog

from aicompany.errors import PassingError
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
        """The ids of whole lines; a torn last line (the disk was full) is cut off, so that the next stands alone."""
        if not self._path.exists():
            return set()
        content = self._path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):
            os.truncate(self._path, len(whole))
        return {notice_id for line in whole.splitlines() if (notice_id := _id_in(line)) is not None}

    def _append(self, notice: Notice) -> None:
        line = (json.dumps(asdict(notice), ensure_ascii=False) + "\n").encode()
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                before = os.fstat(descriptor).st_size
                if os.write(descriptor, line) < len(line):
                    os.ftruncate(descriptor, before)
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            finally:
                os.close(descriptor)
        except OSError as error:
            raise PassingError(
                f"the notice cannot be written to {self._path} ({error.strerror}); free space"
            ) from error


def _id_in(line: bytes) -> str | None:
    try:
        return str(json.loads(line)["id"])
    except (ValueError, KeyError, TypeError):
        return None
