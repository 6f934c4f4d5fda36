"""What is remembered of one company between two reconciles. All of it can be lost: it only saves work."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aicompany_operator.observed.seen import KeyState


@dataclass(slots=True)
class CheckedKey:
    """When a key was last shown to the model's service, and what came of it."""

    stamp: str
    state: KeyState
    at: float
    """Monotonic seconds."""


@dataclass(slots=True)
class Memory:
    """Of one company."""

    values: dict[tuple[str, str], tuple[str, Mapping[str, str]]] = field(default_factory=dict, repr=False)
    """Name of a Secret → its version and its values."""
    places: dict[str, str] = field(default_factory=dict)
    """Server → stamp of the password its place was made with."""
    key: CheckedKey | None = None
    status: Mapping[str, Any] | None = None
    """As it was last written."""
    status_at: float = 0.0
    was_well: bool = False
    told: frozenset[tuple[str, str, str]] = frozenset()
    """Conditions (type, status, reason) there were Events for."""
