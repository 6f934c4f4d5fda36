"""The cache: what may be forgotten at any time, but is quicker or cheaper to keep."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Entry:
    """What was kept under a key."""

    value: bytes
    fresh_seconds: float
    """How long it is still good; 0 or less when it is past its time."""
    kept_seconds: float
    """How long it is still here; more than 0."""

    @property
    def is_fresh(self) -> bool:
        """Whether it is good without reserve."""
        return self.fresh_seconds > 0


@dataclass(frozen=True, slots=True)
class CacheStatistics:
    """What a cache has done in this process since it was opened."""

    hits: int = 0
    misses: int = 0
    errors: int = 0
    """Requests that its server did not answer in time; each was a miss, or nothing kept."""
    entries: int | None = None
    """Kept now; `None` when that is not known."""


class Cache(Protocol):
    """Bytes by key, for a time.

    A cache is never the reason that something fails: one that cannot be reached has nothing and keeps nothing, within
    its time limit, and says so in its statistics. Nothing here raises for that.
    """

    async def get(self, key: str) -> Entry | None:
        """What is kept under the key, also when it is past its time; `None` when nothing is."""

    async def put(self, key: str, value: bytes, *, fresh_seconds: float, stale_seconds: float = 0.0) -> None:
        """Keep the value under the key, in place of what was there: good so long, and then here so much longer."""

    async def drop(self, key: str) -> None:
        """Forget the key."""

    def statistics(self) -> CacheStatistics:
        """What it has done so far."""

    async def close(self) -> None:
        """Let go of connections. Idempotent."""
