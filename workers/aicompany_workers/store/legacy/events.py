"""Older rows as events of today: pure, and the same each time, so that importing twice changes nothing."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from aicompany.conversations.events import ConversationStarted, TurnAnswered, TurnFailed, TurnTaken
from aicompany.events import Event
from aicompany.failure import Failure
from aicompany.ids import task_id_of_key
from aicompany.messaging.lanes import Lane
from aicompany.plans.events import ResultDelivered
from aicompany.ports.event_store import AggregateRef, AggregateType, Append, Change, NewEvent
from aicompany.ports.model import ModelMessage, TextBlock
from aicompany.tasks.events import TaskCancelled, TaskCompleted, TaskFailed, TaskSubmitted
from aicompany.tasks.intake import title_of
from aicompany.tasks.kind import kind_of
from aicompany.usage import NO_USAGE
from aicompany_workers.store.legacy.columns import Recognised
from aicompany_workers.store.legacy.reading import Row

_COMPLETED = frozenset({"completed", "complete", "done", "success", "succeeded", "finished", "ok"})
_FAILED = frozenset({"failed", "failure", "error", "errored", "crashed", "timeout"})
_USERS = frozenset({"user", "human", "customer", "me"})
_UNKNOWN_TEXT = "(not recorded)"


@dataclass(frozen=True, slots=True)
class LegacyAggregate:
    """One task or conversation of the older databases."""

    change: Change
    aggregate: AggregateRef
    summary: tuple[str, str | int]
    """What is compared afterwards: of a task prompt and state, of a conversation last text and number of turns."""


def tasks_of(rows: Iterable[Row], recognised: Recognised) -> list[LegacyAggregate]:
    """One order for each row, also when rows have no id or share one: those are known by their place."""
    aggregates, known = [], set[str]()
    for row in rows:
        name = _text(row.get("id"))
        if not name or name in known:
            name = f"{name}:row:{row['row']}"
        known.add(name)
        aggregates.append(_task_of(row, f"{recognised.table}:{name}"))
    return aggregates


def _task_of(row: Row, key: str) -> LegacyAggregate:
    prompt = _text(row.get("prompt")) or _UNKNOWN_TEXT
    ref = AggregateRef(AggregateType.TASK, task_id_of_key("legacy", key))
    submitted = TaskSubmitted(
        title=title_of(prompt) or _UNKNOWN_TEXT,
        prompt=prompt,
        kind=kind_of(prompt),
        lane=Lane.LOW,
        lane_reason="imported from the predecessor's history",
        requester="legacy",
    )
    end, state = _end_of(row)
    # Delivered, in its time: nobody is told of it again.
    delivered = ResultDelivered(notifier="legacy", reference=key, kept_at="", run=1)
    dates = {"created_at": _text(row.get("at")), "ended_at": _text(row.get("ended"))}
    change = _change(ref, [submitted, end, delivered], f"legacy:{key}", dates)
    return LegacyAggregate(change, ref, (prompt, state))


def _end_of(row: Row) -> tuple[Event, str]:
    status = _text(row.get("status")).strip().lower()
    result, error = _text(row.get("result")), _text(row.get("error"))
    if status in _FAILED or (error and status not in _COMPLETED):
        failure = Failure(code="legacy_failed", message=error or result or _UNKNOWN_TEXT, permanent=True)
        return TaskFailed(failure=failure), "failed"
    if status in _COMPLETED or (not status and result):
        completed = TaskCompleted(result=result or _UNKNOWN_TEXT, usage=NO_USAGE, duration_seconds=0)
        return completed, "completed"
    return TaskCancelled(reason=f"it was not finished when it was imported ({status or 'no status'})"), "cancelled"


def conversations_of(rows: Iterable[Row], recognised: Recognised) -> list[LegacyAggregate]:
    """One conversation for each conversation id, in the order of the rows; rows without one are one conversation."""
    grouped: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        grouped[_text(row.get("conversation")) or _UNKNOWN_TEXT].append(row)
    return [_conversation_of(name, said, recognised) for name, said in grouped.items()]


def _conversation_of(name: str, rows: Sequence[Row], recognised: Recognised) -> LegacyAggregate:
    key = f"{recognised.table}:{name}"
    ref = AggregateRef(AggregateType.CONVERSATION, task_id_of_key("legacy-conversation", key))
    turns = _Turns()
    for row in rows:
        if recognised.shape == "exchanges":
            turns.ask(_text(row.get("question")) or _UNKNOWN_TEXT)
            turns.answer(_text(row.get("answer")))
        elif _text(row.get("role")).strip().lower() in _USERS:
            turns.ask(_text(row.get("text")) or _UNKNOWN_TEXT)
        else:
            turns.answer(_text(row.get("text")))
    turns.close()
    dates = {"created_at": _text(rows[0].get("at")), "ended_at": _text(rows[-1].get("at"))}
    change = _change(ref, [ConversationStarted(requester="legacy"), *turns.events], f"legacy-conversation:{key}", dates)
    return LegacyAggregate(change, ref, (turns.last_text, turns.count))


class _Turns:
    """Questions and answers as turns: each question is one; an answer without a question gets one."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.count = 0
        self.last_text = ""
        self._open: str | None = None

    def ask(self, text: str) -> None:
        """The user said something."""
        self.close()
        self.count += 1
        self.last_text = self._open = text
        self.events.append(TurnTaken(turn=self.count, text=text))

    def answer(self, text: str) -> None:
        """The other side said something; nothing, when the text is empty."""
        if not text:
            return
        if self._open is None:
            self.ask(_UNKNOWN_TEXT)
        messages = (
            ModelMessage(role="user", content=(TextBlock(text=self._open or _UNKNOWN_TEXT),)),
            ModelMessage(role="assistant", content=(TextBlock(text=text),)),
        )
        self.events.append(TurnAnswered(turn=self.count, text=text, messages=messages, usage=NO_USAGE))
        self.last_text = text
        self._open = None

    def close(self) -> None:
        """What was not answered then is not answered now."""
        if self._open is not None:
            failure = Failure(
                code="legacy_unanswered", message="it was not answered when it was imported", permanent=True
            )
            self.events.append(TurnFailed(turn=self.count, failure=failure))
            self._open = None


def _change(ref: AggregateRef, events: Sequence[Event], message_id: str, dates: dict[str, str]) -> Change:
    new = tuple(NewEvent(event.event_type, event.to_json()) for event in events)
    metadata = {"imported_as": message_id, **{name: date for name, date in dates.items() if date}}
    return Change(appends=(Append(ref, 0, new),), handled_message_id=message_id, metadata=metadata)


def _text(value: Any) -> str:  # noqa: ANN401 - whatever SQLite holds
    if value is None:
        return ""
    text = value.decode("utf-8", errors="replace") if isinstance(value, bytes) else str(value)
    return text.replace("\x00", "").encode("utf-8", errors="replace").decode("utf-8")
