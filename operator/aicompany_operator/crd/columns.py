"""What `kubectl get aicompanies` shows."""

from dataclasses import dataclass
from typing import Any

_READY = ".status.conditions[?(@.type=='Ready')]"


@dataclass(frozen=True, slots=True)
class Column:
    """One column."""

    name: str
    path: str
    description: str
    type: str = "string"
    priority: int = 0
    """0: always shown; 1: with `-o wide`."""

    def as_schema(self) -> dict[str, Any]:
        """As an entry of `additionalPrinterColumns`."""
        return {
            "name": self.name,
            "type": self.type,
            "jsonPath": self.path,
            "priority": self.priority,
            "description": self.description,
        }


COLUMNS = (
    Column("Ready", f"{_READY}.status", "Whether the company takes orders and carries them out."),
    Column("Workers", ".status.workers", "Ready and desired pods."),
    Column("Queued", ".status.queued", "Messages that wait; `?` when unknown."),
    Column("Track", ".status.track", "Track that takes new work."),
    Column("Age", ".metadata.creationTimestamp", "Since when it is there.", type="date"),
    Column("Reason", f"{_READY}.reason", "Why it is ready, or not.", priority=1),
    Column("Image", ".status.image", "Image of gateway and workers.", priority=1),
)
