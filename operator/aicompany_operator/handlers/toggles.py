"""kopf's start with thousands of objects, in linear time.

Until all indices are filled kopf keeps a toggle for each object, and a task that waits for all of them. Each toggle
that comes or goes wakes every waiting task, which is quadratic: with 8,000 objects a start took minutes, in which the
Lease was lost. Here tasks are woken only when what they wait for has changed.
"""

from collections.abc import Iterable

from kopf._cogs.aiokits.aiotoggles import Toggle, ToggleSet


class FrugalToggleSet(ToggleSet):
    """A `ToggleSet` that tells of changes of its own state alone."""

    async def make_toggle(self, val: bool = False, /, *, name: str | None = None) -> Toggle:
        """As in the base class."""
        toggle = Toggle(val, name=name, condition=self._condition)
        async with self._condition:
            before = self.is_on()
            self._toggles.add(toggle)
            self._tell(before)
        return toggle

    async def drop_toggle(self, toggle: Toggle) -> None:
        """As in the base class."""
        await self.drop_toggles((toggle,))

    async def drop_toggles(self, toggles: Iterable[Toggle]) -> None:
        """As in the base class."""
        async with self._condition:
            before = self.is_on()
            self._toggles.difference_update(toggles)
            self._tell(before)

    def _tell(self, before: bool) -> None:
        if self.is_on() != before:
            self._condition.notify_all()


def make_kopf_frugal() -> None:
    """Have kopf's own sets behave so. kopf takes none from outside, so its class is changed; idempotent."""
    for name in ("make_toggle", "drop_toggle", "drop_toggles", "_tell"):
        setattr(ToggleSet, name, getattr(FrugalToggleSet, name))
