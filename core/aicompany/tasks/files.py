"""The files of an order's workspace, folded from the order's events.

A worker's directory is only a copy of this: whichever machine a step runs on, the events say which files are there.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from aicompany.ports.event_store import AggregateType, EventRecord
from aicompany.ports.model import ToolUseBlock
from aicompany.tasks.codec import TASK_EVENTS, decode_all
from aicompany.tasks.events import (
    ModelAnswered,
    TaskCancelled,
    TaskCompleted,
    TaskFailed,
    TaskReopened,
    TaskUndone,
    ToolsUsed,
)

_WRITE_FILE = "write_file"


@dataclass(frozen=True, slots=True)
class OrderFiles:
    """What is in an order's workspace now, and what undoing a step brings back."""

    contents: Mapping[str, str]
    """Relative path → text."""
    before: Mapping[str, Mapping[str, str | None]]
    """Step → path → the text before the step first wrote it; `None` when the step made the file."""
    ended: frozenset[str]
    """Steps that ended: what they wrote and no event tells is not wanted any more."""
    undone: Mapping[str, int]
    """Step → how many of its runs were undone: a directory may still hold notes of one that was undone elsewhere."""

    def digest(self) -> str:
        """The same for the same files, whatever way led to them; SHA-256, hexadecimal."""
        before = {step: dict(names) for step, names in self.before.items()}
        parts = [dict(self.contents), before, sorted(self.ended), dict(self.undone)]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


@dataclass(slots=True)
class _Folding:
    """The fold under way."""

    contents: dict[str, str] = field(default_factory=dict)
    before: dict[str, dict[str, str | None]] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)
    undone: dict[str, int] = field(default_factory=dict)
    asked: dict[str, ModelAnswered] = field(default_factory=dict)
    """Step → its last answer."""

    def use(self, step: str, used: ToolsUsed) -> None:
        """The tools that the last answer asked for were run, one after another."""
        answered = self.asked.get(step)
        if answered is None or (answered.run, answered.call) != (used.run, used.call):
            return
        for wish, result in zip(answered.answer.tool_uses, used.results, strict=True):
            if wish.name == _WRITE_FILE and not result.is_error:
                self._write(step, wish)

    def undo(self, step: str) -> None:
        """What the step wrote is as it was before it."""
        self.undone[step] = self.undone.get(step, 0) + 1
        for name, content in self.before.pop(step, {}).items():
            if content is None:
                self.contents.pop(name, None)
            else:
                self.contents[name] = content

    def _write(self, step: str, wish: ToolUseBlock) -> None:
        name = _in_one_spelling(str(wish.input["path"]))
        self.before.setdefault(step, {}).setdefault(name, self.contents.get(name))
        self.contents[name] = str(wish.input["content"])


def files_of(records: Iterable[EventRecord]) -> OrderFiles:
    """The files after these records of an order and all its steps, by position."""
    folding = _Folding()
    of_tasks = (record for record in records if record.aggregate.type is AggregateType.TASK)
    for record, event in decode_all(of_tasks, TASK_EVENTS):
        step = record.aggregate.id
        match event:
            case ModelAnswered():
                folding.asked[step] = event
            case ToolsUsed():
                folding.use(step, event)
            case TaskUndone():
                folding.undo(step)
                folding.ended.add(step)
            case TaskCompleted() | TaskFailed() | TaskCancelled():
                folding.ended.add(step)
            case TaskReopened():
                folding.ended.discard(step)
            case _:
                pass
    return OrderFiles(folding.contents, folding.before, frozenset(folding.ended), folding.undone)


def _in_one_spelling(name: str) -> str:
    """The path as a file system takes it: `a/./b` and `a//b` are `a/b`."""
    return "/".join(part for part in name.split("/") if part not in {"", "."})
