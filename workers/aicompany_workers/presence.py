"""`ports.presence.Presence` of a company that is one process: nobody else is ever there."""

from aicompany.ports.clock import Clock
from aicompany.ports.presence import Heartbeat, HeartbeatRecord

_CLAIMS_MAX = 100_000


class LonePresence:
    """Heartbeats and claims in this process's memory; they end with it, as the process itself does."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._records: dict[str, tuple[HeartbeatRecord, float]] = {}
        self._claims: dict[str, str] = {}

    async def beat(self, heartbeat: Heartbeat) -> None:
        """Note it."""
        record = HeartbeatRecord(heartbeat, self._clock.now())
        self._records[heartbeat.process] = (record, self._clock.monotonic_seconds())

    async def leave(self, process: str) -> None:
        """Forget it."""
        self._records.pop(process, None)

    async def is_present(self, process: str, *, silent_seconds_max: float) -> bool:
        """By the clock that only goes forward."""
        _, at = self._records.get(process, (None, float("-inf")))
        return self._clock.monotonic_seconds() - at <= silent_seconds_max

    async def heartbeats(self, *, silent_seconds_max: float) -> list[HeartbeatRecord]:
        """Of those that are present."""
        names = sorted(self._records)
        return [
            self._records[name][0]
            for name in names
            if await self.is_present(name, silent_seconds_max=silent_seconds_max)
        ]

    async def claim(self, message_id: str, process: str, *, silent_seconds_max: float) -> str:
        """Take it, or tell who has it."""
        holder = self._claims.get(message_id)
        if (
            holder is None
            or holder == process
            or not await self.is_present(holder, silent_seconds_max=silent_seconds_max)
        ):
            self._claims.pop(message_id, None)
            self._claims[message_id] = process
            if len(self._claims) > _CLAIMS_MAX:
                del self._claims[next(iter(self._claims))]
            return process
        return holder

    async def holder(self, message_id: str) -> str | None:
        """Who claimed it last."""
        return self._claims.get(message_id)
