"""Single flight: callers of one key at the same time share one call."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

V = TypeVar("V")


class SingleFlight(Generic[V]):
    """Calls under way, by key. The first caller makes the call in its own task, the others wait for it.

    An error goes to all who wait. A first caller who is cancelled hands over: one of those who wait makes the call
    itself, with its own function. So does one whose error is among `own_errors`, which say something of that caller
    and nothing of the call.
    """

    def __init__(self, own_errors: tuple[type[Exception], ...] = ()) -> None:
        self._own_errors = own_errors
        self._flights: dict[str, asyncio.Future[tuple[V] | None]] = {}
        self.shared_total = 0
        """Callers who were given what another one's call brought."""

    @property
    def under_way(self) -> int:
        """Calls now."""
        return len(self._flights)

    async def run(self, key: str, call: Callable[[], Awaitable[V]]) -> tuple[V, bool]:
        """The outcome of the call, and whether it was another caller's."""
        while (flight := self._flights.get(key)) is not None:
            # Shielded, so that one who stops waiting does not end it for the others.
            landed = await asyncio.shield(flight)
            if landed is not None:
                self.shared_total += 1
                return landed[0], True
        return await self._lead(key, call), False

    async def _lead(self, key: str, call: Callable[[], Awaitable[V]]) -> V:
        flight = self._flights[key] = asyncio.get_running_loop().create_future()
        try:
            outcome = await call()
        except BaseException as error:
            del self._flights[key]
            if isinstance(error, Exception) and not isinstance(error, self._own_errors):
                flight.set_exception(error)
                # Taken here, in case nobody else waits for it.
                flight.exception()
            else:
                flight.set_result(None)
            raise
        del self._flights[key]
        flight.set_result((outcome,))
        return outcome
