"""What every notifier does: the same notice is told once, whoever asks and how often."""

import asyncio

from aicompany.ports.notifier import Notice, NoticeKind, Notifier


def notice(number: int = 1) -> Notice:
    return Notice(id=f"n{number}", kind=NoticeKind.RESULT, task_id="t", title="Title", text="done", reference="r")


class NotifierContract:
    async def told(self, notifier: Notifier) -> list[str]:
        """The ids of what reached people, in order. An adapter's test says how to look."""
        raise NotImplementedError

    async def test_a_notice_is_told_with_a_reference_to_it(self, notifier: Notifier) -> None:
        assert await notifier.notify(notice())
        assert await self.told(notifier) == ["n1"]

    async def test_the_same_notice_again_is_told_once_and_has_the_same_reference(self, notifier: Notifier) -> None:
        assert await notifier.notify(notice()) == await notifier.notify(notice())
        assert await self.told(notifier) == ["n1"]

    async def test_many_at_once_are_each_told_once(self, notifier: Notifier) -> None:
        await asyncio.gather(*(notifier.notify(notice(number % 10)) for number in range(100)))
        assert sorted(await self.told(notifier)) == sorted(f"n{number}" for number in range(10))
