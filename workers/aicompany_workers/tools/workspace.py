"""The workspace of an order: the files its steps make, and what is needed to take them back.

Before a step touches a file for the first time, the file is kept as it was (or noted as new). So a step can be taken
back exactly, also when the process died in the middle of it, and running a tool twice has the effect of once.

The directory is a copy of what the order's events tell (`OrderFiles`), and is brought to it before it is used, for
the steps before may have run on another machine.
"""

import os
import shutil
import threading
from contextlib import suppress
from pathlib import Path, PurePosixPath

from aicompany.ids import TaskId, order_id_of
from aicompany.tasks.files import OrderFiles

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
        return self._place(name).read_bytes().decode()

    def write(self, step: TaskId, name: str, content: str) -> bool:
        """Write a file whole for a step; whether the step created it. Raises `PathRefused`."""
        if len(content.encode()) > _FILE_BYTES_MAX:
            raise PathRefused(f"{name} is over {_FILE_BYTES_MAX:,} bytes; write less")
        place = self._place(name)
        if not place.exists() and len(self.list_files()) >= _FILES_MAX:
            raise PathRefused(f"the workspace holds {_FILES_MAX} files already")
        created = self._keep(step, name, place)
        self._replace(place, content)
        return created

    def undo(self, step: TaskId) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Take back what a step did: the files removed and the files restored. Doing it twice changes nothing."""
        before = self._before(step)
        removed = tuple(_names_below(before / "new"))
        restored = tuple(_names_below(before / "kept"))
        for name in removed:
            self._remove(name)
        for name in restored:
            self._replace(self._place(name), (before / "kept" / name).read_bytes().decode())
        shutil.rmtree(before, ignore_errors=True)
        return removed, restored

    def restore(self, files: OrderFiles, *, spare: TaskId | None = None) -> None:
        """Bring the directory to `files`; only looks at sizes and times when it was there before and nobody wrote.

        What steps that have not ended, and `spare`, wrote here and no event tells yet is left: they are at work.
        """
        marked = f"{files.digest()}\n"
        marker = self._order / "restored"
        if not (files.contents or files.before or files.undone or self._order.is_dir()):
            return
        if _text_in(marker) == marked + self._signature():
            return
        for step in files.undone:
            self._forget_undone(files, TaskId(step))
        at_work = self._unrecorded(files, spare)
        for name in self.list_files():
            if name not in files.contents and name not in at_work:
                self._remove(name)
        for name, content in files.contents.items():
            if name not in at_work and _text_in(self.files_directory / name) != content:
                self._clear_the_way(name)
                self._replace(self.files_directory / name, content)
        self._restore_before(files, spare)
        if not at_work:
            self._replace(marker, marked + self._signature())

    def recall(self, files: OrderFiles, step: TaskId) -> None:
        """Know what undoing the step brings back, wherever it ran; touches no file that another step may undo now."""
        self._forget_undone(files, step)
        before = self._before(step)
        for name, old in files.before.get(step, {}).items():
            if old is None:
                self._replace(before / "new" / name, "")
            else:
                self._replace(before / "kept" / name, old)

    def _forget_undone(self, files: OrderFiles, step: TaskId) -> None:
        """Drop what is kept here of a run that was undone, maybe elsewhere; what a run after it keeps is left."""
        note, undone = self._order / "undone" / step, files.undone.get(step, 0)
        if int(_text_in(note) or 0) < undone:
            shutil.rmtree(self._before(step), ignore_errors=True)
            self._replace(note, str(undone))

    def _unrecorded(self, files: OrderFiles, spare: TaskId | None) -> frozenset[str]:
        """Files that steps at work wrote here and no event tells of yet."""
        steps = (TaskId(path.name) for path in _entries(self._order / "before"))
        return frozenset(
            name
            for step in steps
            if step == spare or step not in files.ended
            for name in self._touched(step) - files.before.get(step, {}).keys()
        )

    def _touched(self, step: TaskId) -> set[str]:
        before = self._before(step)
        return {*_names_below(before / "kept"), *_names_below(before / "new")}

    def _restore_before(self, files: OrderFiles, spare: TaskId | None) -> None:
        for path in _entries(self._order / "before"):
            if path.name != spare and path.name in files.ended and path.name not in files.before:
                shutil.rmtree(path, ignore_errors=True)
        for step, names in files.before.items():
            before = self._before(TaskId(step))
            unwanted = self._touched(TaskId(step)) - names.keys() if step in files.ended and step != spare else set()
            for name in (*names, *sorted(unwanted)):
                old = names.get(name)
                kept, new = before / "kept" / name, before / "new" / name
                _drop(new if old is not None or name in unwanted else kept)
                if name in unwanted:
                    _drop(kept)
                elif old is None:
                    if not new.exists():
                        self._replace(new, "")
                elif _text_in(kept) != old:
                    self._replace(kept, old)

    def _signature(self) -> str:
        """Changes when a file, or what is kept of one, changes: names, sizes, times of change in nanoseconds."""
        lines = []
        for directory in (self.files_directory, self._order / "before"):
            for name in _names_below(directory):
                stat = (directory / name).stat()
                lines.append(f"{directory.name}/{name} {stat.st_size} {stat.st_mtime_ns} {stat.st_ino}")
        return "\n".join(lines)

    def _remove(self, name: str) -> None:
        """Remove a file and the directories it leaves empty, so that a file may have their name."""
        place = self._place(name)
        place.unlink(missing_ok=True)
        for directory in place.parents:
            if directory == self.files_directory or not directory.is_dir() or any(directory.iterdir()):
                return
            directory.rmdir()

    def _clear_the_way(self, name: str) -> None:
        """Empty directories that an undone step left where a file shall be."""
        place = self.files_directory / name
        if place.is_dir() and not _names_below(place):
            shutil.rmtree(place)

    def _replace(self, place: Path, content: str) -> None:
        """Write so that a reader, or a crash, sees the old or the new content, never a part."""
        place.parent.mkdir(parents=True, exist_ok=True)
        part = self._order / f".{os.getpid()}-{threading.get_ident()}.part"
        part.write_text(content, encoding="utf-8", newline="")
        os.replace(part, place)  # noqa: PTH105 - the documented atomic rename

    def _keep(self, step: TaskId, name: str, place: Path) -> bool:
        kept, new = (self._before(step) / kind / name for kind in ("kept", "new"))
        if new.exists():
            return True
        if kept.exists():
            return False
        if place.exists():
            self._replace(kept, place.read_bytes().decode())
            return False
        self._replace(new, "")
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
        if any((self.files_directory / parent).is_file() for parent in path.parents):
            raise PathRefused(f"“{name}” lies below a file; use another path")
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


def _entries(directory: Path) -> list[Path]:
    return sorted(directory.iterdir()) if directory.is_dir() else []


def _drop(place: Path) -> None:
    """Remove a file; what is no file, or lies below one, is another name's."""
    with suppress(FileNotFoundError, IsADirectoryError, NotADirectoryError):
        place.unlink()


def _text_in(place: Path) -> str | None:
    """A file's text, line ends as they are; `None` when there is no such file or it is no text."""
    try:
        return place.read_bytes().decode()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError, UnicodeDecodeError):
        return None
