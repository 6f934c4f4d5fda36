"""A clock that goes when the test says so."""

from datetime import UTC, datetime, timedelta


class ManualClock:
    """`ports.clock.Clock` that stands still."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.seconds)

    def monotonic_seconds(self) -> float:
        return self.seconds

    def advance(self, seconds: float) -> None:
        self.seconds += seconds
