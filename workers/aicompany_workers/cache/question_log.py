"""Questions asked in this process since the history was told last."""

from dataclasses import replace

from aicompany.ports.question_history import Asked

_QUESTIONS_MAX = 1000
_QUESTION_BYTES_MAX = 65_536
"""A longer question is not worth keeping for a second time; it is hardly ever asked in the same words."""


class QuestionLog:
    """Adds up what is asked, so that the history is told now and then and not with every question."""

    def __init__(self) -> None:
        self._asked: dict[str, Asked] = {}

    def add(self, asked: Asked) -> None:
        """One question more. Those that are too long, or too many, are not counted."""
        if len(asked.question) > _QUESTION_BYTES_MAX:
            return
        before = self._asked.get(asked.key)
        if before is None and len(self._asked) >= _QUESTIONS_MAX:
            return
        if before is not None and not asked.is_new:
            asked = replace(asked, times=before.times + asked.times, is_new=before.is_new)
        self._asked[asked.key] = asked

    def take(self) -> list[Asked]:
        """All of them, which are forgotten here."""
        asked, self._asked = list(self._asked.values()), {}
        return asked
