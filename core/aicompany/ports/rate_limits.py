"""Rate limits: whose turn it is to ask the model's service."""

from dataclasses import dataclass, field
from typing import Protocol

from aicompany.allowance import Amounts, LimitsTold, NoTurn, Turn


@dataclass(frozen=True, slots=True)
class LimitState:
    """One limit as it stands."""

    limit: float
    """A minute."""
    level: float
    """Left now; less than 0 when callers wait for what is still to come."""


@dataclass(frozen=True, slots=True)
class RateLimitStatistics:
    """What the limits of all models look like from this process."""

    shared: bool
    """Whether all workers go by the same numbers now."""
    share_of: int = 1
    """When they do not: this process takes one part of so many."""
    limits: dict[str, dict[str, LimitState]] = field(default_factory=dict)
    """By model and measure."""
    paused_seconds: dict[str, float] = field(default_factory=dict)
    """By model: how long nobody may ask."""
    turns: int = 0
    refused: int = 0
    """Callers who would have had to wait longer than they could."""
    errors: int = 0
    """Requests that the server of the shared limits did not answer in time."""


class RateLimits(Protocol):
    """Limits of a model's service, shared by all who use the same ones.

    As with the cache, limits whose server cannot be reached are not the reason that a call fails: each process then
    keeps to its share by itself.
    """

    async def reserve(
        self, model: str, *, input_tokens: float, output_tokens_max: float, wait_seconds_max: float
    ) -> Turn | NoTurn:
        """A turn for one call, in the order of asking, or how long it would take. Waiting is the caller's."""

    async def settle(
        self,
        turn: Turn,
        used: Amounts,
        *,
        told: LimitsTold | None = None,
        slow_down: bool = False,
        retry_after_seconds: float | None = None,
    ) -> None:
        """The call of the turn has ended: what it used, and what the service said.

        `slow_down`: the service asked to; then all callers wait for `retry_after_seconds`, or for a short while.
        """

    async def paused_seconds(self, model: str) -> float:
        """How long nobody may ask; 0 when everybody may."""

    def statistics(self) -> RateLimitStatistics:
        """As it stands."""

    async def close(self) -> None:
        """Let go of connections. Idempotent."""
