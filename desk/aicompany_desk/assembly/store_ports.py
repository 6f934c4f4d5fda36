"""The ports that the event store's adapter stands behind."""

from dataclasses import dataclass

from aicompany.ports.event_store import CompanyQueries, EventStore, Outbox
from aicompany.ports.presence import Presence


@dataclass(frozen=True, slots=True)
class StorePorts:
    """The ports that the event store's adapter stands behind."""

    store: EventStore
    outbox: Outbox
    queries: CompanyQueries
    presence: Presence
    is_shared: bool
    """Whether other processes use the same store."""
