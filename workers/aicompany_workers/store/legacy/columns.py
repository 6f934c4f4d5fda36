"""Which table and columns of an older database mean what. Names differ between its versions; the usual ones are here.

What is not recognised is not guessed: nothing is imported then, and the sentence says what was found.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aicompany.errors import UserError


class LegacyUnreadable(UserError):
    """The older database cannot be read, or its tables are not those that are known."""

    code = "legacy_unreadable"


@dataclass(frozen=True, slots=True)
class Meaning:
    """One thing that a column can hold."""

    name: str
    columns: tuple[str, ...]
    """Usual names, the likeliest first."""
    is_needed: bool = False


@dataclass(frozen=True, slots=True)
class Shape:
    """One way in which a table can look."""

    name: str
    tables: tuple[str, ...]
    meanings: tuple[Meaning, ...]


@dataclass(frozen=True, slots=True)
class Recognised:
    """A table with its columns by meaning."""

    shape: str
    table: str
    columns: Mapping[str, str]


_AT = Meaning("at", ("timestamp", "created_at", "created", "time", "date"))
_CONVERSATION = Meaning("conversation", ("conversation_id", "session_id", "chat_id", "thread_id", "user_id"))
_CONVERSATION_TABLES = ("conversations", "messages", "conversation_history", "conversation_messages", "history")

TASKS = (
    Shape(
        "tasks",
        ("task_history", "tasks", "history"),
        (
            Meaning("id", ("task_id", "id", "uuid")),
            Meaning("prompt", ("prompt", "description", "task", "instruction", "request", "input"), is_needed=True),
            Meaning("status", ("status", "state")),
            Meaning("result", ("result", "output", "response", "answer")),
            Meaning("error", ("error", "error_message", "failure")),
            Meaning("at", ("created_at", "submitted_at", "timestamp", "started_at", "start_time", "created")),
            Meaning("ended", ("completed_at", "finished_at", "ended_at", "end_time", "updated_at")),
        ),
    ),
)
CONVERSATIONS = (
    Shape(
        "messages",
        _CONVERSATION_TABLES,
        (
            _CONVERSATION,
            Meaning("role", ("role", "sender", "author", "speaker"), is_needed=True),
            Meaning("text", ("content", "message", "text", "body"), is_needed=True),
            _AT,
        ),
    ),
    Shape(
        "exchanges",
        _CONVERSATION_TABLES,
        (
            _CONVERSATION,
            Meaning("question", ("user_message", "user_input", "question", "prompt"), is_needed=True),
            Meaning(
                "answer",
                ("assistant_message", "assistant_response", "bot_response", "response", "answer"),
                is_needed=True,
            ),
            _AT,
        ),
    ),
)


def recognise(place: str, tables: Mapping[str, Sequence[str]], shapes: Sequence[Shape]) -> Recognised:
    """The table that is meant. Raises `LegacyUnreadable` with everything that was found."""
    for shape in shapes:
        for table in shape.tables:
            columns = _columns_of(shape, tables.get(table, ()))
            if columns is not None:
                return Recognised(shape.name, table, columns)
    found = "; ".join(f"{table} ({', '.join(columns)})" for table, columns in sorted(tables.items())) or "no table"
    wanted = " or ".join(sorted({table for shape in shapes for table in shape.tables}))
    raise LegacyUnreadable(
        f"{place} has no table that is known here; it has {found}; wanted is {wanted} with its usual columns. "
        "Nothing was imported; rename the table and columns in a copy, and import that"
    )


def _columns_of(shape: Shape, present: Sequence[str]) -> dict[str, str] | None:
    by_name = {column.lower(): column for column in present}
    columns = {}
    for meaning in shape.meanings:
        found = next((by_name[name] for name in meaning.columns if name in by_name), None)
        if found is not None:
            columns[meaning.name] = found
        elif meaning.is_needed:
            return None
    return columns
