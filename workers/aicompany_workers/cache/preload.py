"""Preload: answers that are asked for often are renewed before they expire."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from aicompany.caching.renewal import RenewalPolicy, decide_renewals
from aicompany.errors import AICompanyError
from aicompany.ports.question_history import QuestionHistory
from aicompany_workers.cache.question_log import QuestionLog

_LOOKED_AT_MAX = 200
_AT_ONCE = 4
_LOOKS_A_HORIZON = 5
_LOOK_SECONDS_MAX = 10.0

log = structlog.get_logger()


class Preload:
    """Tells the history what was asked here, and renews what this process may claim. Owned by whoever runs it."""

    def __init__(
        self,
        history: QuestionHistory,
        questions: QuestionLog,
        policy: RenewalPolicy,
        *,
        renew: Callable[[bytes], Awaitable[None]],
        is_welcome: Callable[[], bool] = lambda: True,
    ) -> None:
        self._history = history
        self._questions = questions
        self._policy = policy
        self._renew = renew
        self._is_welcome = is_welcome
        self._every_seconds = min(_LOOK_SECONDS_MAX, policy.horizon_seconds / _LOOKS_A_HORIZON)
        self.renewed_total = 0
        self.failed_total = 0

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._tell())
            if self._policy.per_minute_max:
                group.create_task(self._look())

    async def look_once(self) -> int:
        """Renew what is due now; how many were."""
        if not self._is_welcome():
            return 0
        expiring = await self._history.expiring(within_seconds=self._policy.horizon_seconds, limit=_LOOKED_AT_MAX)
        places = asyncio.Semaphore(_AT_ONCE)
        before = self.renewed_total
        async with asyncio.TaskGroup() as group:
            for key in decide_renewals(expiring, self._policy):
                group.create_task(self._renew_one(key, places))
        return self.renewed_total - before

    async def tell_once(self) -> None:
        """Tell the history what was asked since the last time."""
        await self._history.note(self._questions.take())

    async def _tell(self) -> None:
        while True:
            await asyncio.sleep(self._every_seconds)
            await self.tell_once()

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(self._every_seconds)
            await self.look_once()

    async def _renew_one(self, key: str, places: asyncio.Semaphore) -> None:
        async with places:
            # Held until the answer would have expired, so that a renewal that failed is not tried over and over.
            question = await self._history.claim(
                key, seconds=self._policy.horizon_seconds, per_minute_max=self._policy.per_minute_max
            )
            if question is None:
                return
            try:
                await self._renew(question)
            except AICompanyError as error:
                # Nobody waits for it: the answer expires, and is asked for when somebody wants it.
                self.failed_total += 1
                log.info("cache.renewal_failed", reason=error.message)
            else:
                self.renewed_total += 1
