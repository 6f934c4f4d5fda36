"""The state directory of a company on one machine: one process owns it at a time."""

import errno
import fcntl
import os
from pathlib import Path
from typing import IO

from aicompany.errors import StateUnusable

STORE_FILE = "company.db"
LOG_FILE = "logs/company.jsonl"
LOCK_FILE = "owner.lock"


class StateDirectory:
    """A directory that this process owns from `acquire` to `release`, or until it ends, however it ends."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: IO[str] | None = None

    @property
    def store_file(self) -> Path:
        """The event store."""
        return self.path / STORE_FILE

    @property
    def log_file(self) -> Path:
        """The log that is being written."""
        return self.path / LOG_FILE

    @property
    def results(self) -> Path:
        """Results, a directory for each order."""
        return self.path / "results"

    @property
    def workspaces(self) -> Path:
        """Files that orders at work make, a directory for each order."""
        return self.path / "workspaces"

    def make(self) -> None:
        """Make the directory, for a process that shares it. Raises `StateUnusable`."""
        try:
            # Orders, files and answers are nobody else's business.
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StateUnusable(self._explained(error)) from error

    def acquire(self) -> None:
        """Make the directory and own it. Raises `StateUnusable`: owned by another, read-only, full, no directory."""
        self.make()
        try:
            lock = (self.path / LOCK_FILE).open("a+")
        except OSError as error:
            raise StateUnusable(self._explained(error)) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.seek(0)
            owner = lock.read().strip() or "unknown"
            lock.close()
            raise StateUnusable(
                f"the state directory {self.path} is used by process {owner}; "
                "talk to that company, stop it, or name another directory with --state"
            ) from error
        try:
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
        except OSError as error:
            lock.close()
            raise StateUnusable(self._explained(error)) from error
        self._lock = lock

    def release(self) -> None:
        """Let go. Idempotent."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _explained(self, error: OSError) -> str:
        way_out = "choose another with --state"
        if error.errno in {errno.EROFS, errno.EACCES, errno.EPERM}:
            return f"the state directory {self.path} cannot be written; make it writable or {way_out}"
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            return f"the disk of the state directory {self.path} is full; free space or {way_out}"
        return f"the state directory {self.path} cannot be used ({error.strerror}); {way_out}"
