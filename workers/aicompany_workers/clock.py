"""The real clock and the real source of identifiers."""

import secrets
import time
from datetime import UTC, datetime

from ulid import ULID

from aicompany.ids import TraceId


class SystemClock:
    """`ports.clock.Clock` of this machine."""

    def now(self) -> datetime:
        """The date and time, UTC."""
        return datetime.now(UTC)

    def monotonic_seconds(self) -> float:
        """Seconds since some start; never goes back."""
        return time.monotonic()


class RandomIds:
    """`ports.clock.IdSource` from this machine's clock and randomness."""

    def new_id(self) -> str:
        """A ULID in lower case."""
        return str(ULID()).lower()

    def new_trace_id(self) -> TraceId:
        """32 hex digits."""
        return TraceId(secrets.token_hex(16))
