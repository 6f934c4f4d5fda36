"""What was asked often, so that its answer can be renewed before it expires.

A question's count is that of its present answer: it begins anew with each answer. So an answer is renewed as long as
it is wanted, and no longer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Asked:
    """A question that was asked, or answered anew."""

    key: str
    times: int
    question: bytes
    """The question itself, to be asked again."""
    fresh_seconds: float
    """How long its answer is good from now."""
    is_new: bool
    """Whether it has a new answer, so that its count begins anew."""


@dataclass(frozen=True, slots=True)
class Expiring:
    """A question whose answer is good no longer than that."""

    key: str
    asked: int
    fresh_seconds: float


class QuestionHistory(Protocol):
    """Questions with their counts, kept beside the answers and shared by all who share those.

    As with the cache, a history that cannot be reached knows nothing; nothing here raises for that.
    """

    async def note(self, asked: Sequence[Asked]) -> None:
        """Add to the counts."""

    async def expiring(self, *, within_seconds: float, limit: int) -> list[Expiring]:
        """Questions whose answers expire within that time, soonest first, at most so many."""

    async def claim(self, key: str, *, seconds: float, per_minute_max: int) -> bytes | None:
        """The question, if the caller is the one to renew its answer now.

        `None` when somebody claimed it within the last `seconds`, when so many were claimed within a minute by all
        callers together, or when the question is not known any more.
        """

    async def close(self) -> None:
        """Let go of connections. Idempotent."""
