"""Time and fresh identifiers: what a pure core may not make itself."""

from datetime import datetime
from typing import Protocol

from aicompany.ids import TraceId


class Clock(Protocol):
    """Two clocks: one that tells the date, one that only goes forward."""

    def now(self) -> datetime:
        """The date and time, aware, UTC."""

    def monotonic_seconds(self) -> float:
        """Seconds since some start; never goes back."""


class IdSource(Protocol):
    """Fresh identifiers."""

    def new_id(self) -> str:
        """A ULID in lower case: 26 characters, sorted by time."""

    def new_trace_id(self) -> TraceId:
        """32 hex digits (W3C trace context)."""
