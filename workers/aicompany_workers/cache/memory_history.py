"""`ports.question_history.QuestionHistory` in this process."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from aicompany.ports.clock import Clock
from aicompany.ports.question_history import Asked, Expiring

_MINUTE_SECONDS = 60.0


@dataclass(slots=True)
class _Question:
    text: bytes
    asked: int
    fresh_until: float
    claimed_until: float = float("-inf")


class MemoryQuestionHistory:
    """At most `questions_max` questions; those whose answers expire soonest go first."""

    def __init__(self, clock: Clock, *, questions_max: int) -> None:
        self._clock = clock
        self._questions_max = questions_max
        self._questions: dict[str, _Question] = {}
        self._claims: deque[float] = deque()

    async def note(self, asked: Sequence[Asked]) -> None:
        """Add to the counts."""
        now = self._clock.monotonic_seconds()
        for one in asked:
            question = self._questions.setdefault(one.key, _Question(one.question, 0, 0.0))
            question.asked = one.times if one.is_new else question.asked + one.times
            question.fresh_until = max(question.fresh_until, now + one.fresh_seconds)
        self._forget(now)

    async def expiring(self, *, within_seconds: float, limit: int) -> list[Expiring]:
        """Questions whose answers expire soon, soonest first."""
        now = self._clock.monotonic_seconds()
        self._forget(now)
        soon = [
            Expiring(key, question.asked, question.fresh_until - now)
            for key, question in self._questions.items()
            if question.fresh_until <= now + within_seconds
        ]
        return sorted(soon, key=lambda question: question.fresh_seconds)[:limit]

    async def claim(self, key: str, *, seconds: float, per_minute_max: int) -> bytes | None:
        """The question, if the caller is the one to renew its answer now."""
        now = self._clock.monotonic_seconds()
        while self._claims and self._claims[0] <= now - _MINUTE_SECONDS:
            self._claims.popleft()
        question = self._questions.get(key)
        if question is None or now < question.claimed_until or len(self._claims) >= per_minute_max:
            return None
        question.claimed_until = now + seconds
        self._claims.append(now)
        return question.text

    async def close(self) -> None:
        """Forget everything."""
        self._questions.clear()

    def _forget(self, now: float) -> None:
        """Away with what has expired, and with what is too much."""
        kept = [(q.fresh_until, key) for key, q in self._questions.items() if q.fresh_until > now]
        if len(kept) < len(self._questions) or len(kept) > self._questions_max:
            self._questions = {key: self._questions[key] for _, key in sorted(kept)[-self._questions_max :]}
