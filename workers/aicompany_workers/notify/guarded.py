"""A notifier that is left alone while it fails: the notice is sent later, and no order fails for it."""

from aicompany.ports.notifier import Notice, Notifier
from aicompany_workers.breakers import GuardedCalls


class GuardedNotifier:
    """`ports.notifier.Notifier` around another one."""

    def __init__(self, notifier: Notifier, calls: GuardedCalls) -> None:
        self._notifier = notifier
        self._calls = calls

    @property
    def name(self) -> str:
        """As the one inside."""
        return self._notifier.name

    async def notify(self, notice: Notice) -> str:
        """Tell. Raises `BreakerOpen` besides what the one inside raises."""
        return await self._calls.call(lambda: self._notifier.notify(notice))
