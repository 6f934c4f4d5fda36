"""The workspace of an order: the files its steps make, and what is needed to take them back.

Before a step touches a file for the first time, the file is kept as it was (or noted as new). So a step can be taken
back exactly, also when the process died in the middle of it, and running a tool twice has the effect of once.
"""

import os
import shutil
from pathlib import Path, PurePosixPath

from aicompany.ids import TaskId, order_id_of

_FILE_BYTES_MAX = 1_048_576
_FILES_MAX = 200


class PathRefused(ValueError):
    """A path leads out of the workspace or is none; the text says so to the model."""


class Workspace:
    """The files of one order. All paths are relative, with `/`."""

    def __init__(self, root: Path, order: TaskId) -> None:
        self._order = root / order
        self.files_directory = self._order / "files"

    def list_files(self) -> tuple[str, ...]:
        """All files, sorted."""
        if not self.files_directory.is_dir():
            return ()
        found = (path for path in self.files_directory.rglob("*") if path.is_file())
        return tuple(sorted(path.relative_to(self.files_directory).as_posix() for path in found))

    def read(self, name: str) -> str:
        """A file's text. Raises `PathRefused`, `FileNotFoundError`, `UnicodeDecodeError`."""
        return self._place(name).read_text(encoding="utf-8")

    def write(self, step: TaskId, name: str, content: str) -> bool:
        """Write a file whole for a step; whether the step created it. Raises `PathRefused`."""
        if len(content.encode()) > _FILE_BYTES_MAX:
            raise PathRefused(f"{name} is over {_FILE_BYTES_MAX:,} bytes; write less")
        place = self._place(name)
        if not place.exists() and len(self.list_files()) >= _FILES_MAX:
            raise PathRefused(f"the workspace holds {_FILES_MAX} files already")
        created = self._keep(step, name, place)
        _replace(place, content)
        return created

    def undo(self, step: TaskId) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Take back what a step did: the files removed and the files restored. Doing it twice changes nothing."""
        before = self._before(step)
        removed = tuple(_names_below(before / "new"))
        restored = tuple(_names_below(before / "kept"))
        for name in removed:
            self._place(name).unlink(missing_ok=True)
        for name in restored:
            _replace(self._place(name), (before / "kept" / name).read_text(encoding="utf-8"))
        shutil.rmtree(before, ignore_errors=True)
        return removed, restored

    def _keep(self, step: TaskId, name: str, place: Path) -> bool:
        kept, new = (self._before(step) / kind / name for kind in ("kept", "new"))
        if new.exists():
            return True
        if kept.exists():
            return False
        if place.exists():
            _replace(kept, place.read_text(encoding="utf-8"))
            return False
        _replace(new, "")
        return True

    def _before(self, step: TaskId) -> Path:
        return self._order / "before" / step

    def _place(self, name: str) -> Path:
        path = PurePosixPath(name)
        if not name or "\x00" in name or path.is_absolute() or ".." in path.parts or not path.name:
            raise PathRefused(f"“{name}” is no path inside the workspace; use a relative path without ..")
        place = self.files_directory / path
        if place.is_dir():
            raise PathRefused(f"“{name}” is a directory")
        return place


class Workspaces:
    """The workspaces of all orders, below one directory."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def of(self, task: TaskId) -> Workspace:
        """The workspace of a task's order."""
        return Workspace(self._root, order_id_of(task))


def _names_below(directory: Path) -> list[str]:
    if not directory.is_dir():
        return []
    return sorted(path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file())


def _replace(place: Path, content: str) -> None:
    """Write so that a reader, or a crash, sees the old or the new content, never a part."""
    place.parent.mkdir(parents=True, exist_ok=True)
    part = place.with_name(f".{place.name}.part")
    part.write_text(content, encoding="utf-8")
    os.replace(part, place)  # noqa: PTH105 - the documented atomic rename
