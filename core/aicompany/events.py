"""What all events have in common: a frozen value with a stable type name, JSON in the store."""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class Event(BaseModel):
    """Something that happened. Subclasses name their `event_type`; the store keeps it beside the data."""

    # Unknown fields are ignored so that an older program can read what a newer one wrote.
    model_config = ConfigDict(frozen=True, extra="ignore")

    event_type: ClassVar[str]

    def to_json(self) -> str:
        """The data column: a JSON object; fields that are None are left out."""
        return self.model_dump_json(exclude_none=True)


def index_by_type(*events: type[Event]) -> dict[str, type[Event]]:
    """Event classes by type name; two with the same name are a mistake in the program."""
    index: dict[str, type[Event]] = {}
    for event in events:
        if event.event_type in index:
            raise TypeError(f"two events are called {event.event_type}")
        index[event.event_type] = event
    return index
