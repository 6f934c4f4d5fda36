"""`ports.event_store.Changes` within a process, for whichever store wakes it."""

import asyncio


class WokenChanges:
    """Woken by setting `happened`; wake-ups that nobody waited for are one."""

    def __init__(self) -> None:
        self.happened = asyncio.Event()
        self.happened.set()

    async def wait(self, timeout_seconds: float) -> bool:
        """Whether something was committed in time."""
        try:
            async with asyncio.timeout(timeout_seconds):
                await self.happened.wait()
        except TimeoutError:
            return False
        self.happened.clear()
        return True
