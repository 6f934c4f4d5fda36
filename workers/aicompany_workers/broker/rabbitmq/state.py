"""What the broker's connections say of themselves, for `/health`, status and metrics."""

from dataclasses import dataclass
from typing import Any


@dataclass(slots=True)
class LinkState:
    """One connection's history."""

    name: str
    is_connected: bool = False
    is_blocked: bool = False
    """The broker takes no messages from this connection: it is short of memory or disk."""
    connects: int = 0
    failures: int = 0
    last_problem: str | None = None

    def connected(self) -> None:
        """A connection came about."""
        self.is_connected = True
        self.connects += 1

    def failed(self, problem: str) -> None:
        """A connection did not come about."""
        self.failures += 1
        self.last_problem = problem

    def lost(self, problem: str) -> None:
        """A connection is gone."""
        self.is_connected = False
        self.last_problem = problem

    def describe(self) -> dict[str, Any]:
        """As JSON."""
        state = "blocked" if self.is_blocked else "connected" if self.is_connected else "disconnected"
        return {
            "state": state,
            "connects": self.connects,
            "failures": self.failures,
            "last_problem": self.last_problem,
        }
