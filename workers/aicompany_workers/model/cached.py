"""A model whose answers are kept: the same question is paid for once while its answer is good."""

from dataclasses import asdict
from typing import Any

import structlog

from aicompany.caching.keep import as_cached, may_be_kept
from aicompany.caching.key import key_of
from aicompany.errors import AlreadyHandled, HeldElsewhere
from aicompany.ports.cache import Cache
from aicompany.ports.clock import Clock
from aicompany.ports.model import Model, ModelAnswer, ModelRequest
from aicompany.ports.question_history import Asked
from aicompany.spec.servers import CacheSpec
from aicompany_workers.cache.cached_function import CachedFunction, KeptStatistics, Obtained, Origin, cached
from aicompany_workers.cache.question_log import QuestionLog

log = structlog.get_logger()


class CachedModel:
    """`ports.model.Model` around another one. An offline model's answers are not kept: they cost nothing."""

    def __init__(
        self, model: Model, cache: Cache, spec: CacheSpec, clock: Clock, *, questions: QuestionLog | None = None
    ) -> None:
        self._model = model
        self._questions = questions
        keep = cached(
            cache,
            key=key_of,
            write=_written,
            read=ModelAnswer.model_validate_json,
            may_be_kept=may_be_kept,
            fresh_seconds=spec.ttl_seconds,
            stale_seconds=spec.stale_seconds,
            clock=clock,
            # Of the message that asked first: the others are nobody else's, and want an answer.
            own_errors=(HeldElsewhere, AlreadyHandled),
        )
        self._answers: CachedFunction[[ModelRequest], ModelAnswer] = keep(self._ask)

    @property
    def is_offline(self) -> bool:
        """As the model inside."""
        return self._model.is_offline

    @property
    def prefers_cached(self) -> bool:
        """Whether answers past their time are given out now."""
        return self._answers.prefers_cached

    def prefer_cached(self, seconds: float) -> None:
        """For so long from now, give out also answers that are past their time; 0 ends it."""
        self._answers.prefer_cached(seconds)

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        """Answer from the cache, marked, or ask once. Raises what the model inside raises."""
        if self._model.is_offline:
            return await self._model.answer(request)
        ask = self._answers.renew if request.anew else self._answers.obtain
        obtained = await ask(request)
        self._note(request, obtained, is_new=obtained.origin is Origin.MADE)
        return obtained.value if obtained.origin is Origin.MADE else as_cached(obtained.value)

    async def renew(self, question: bytes) -> None:
        """Ask a question of the history again, whatever is kept. Raises what the model inside raises."""
        try:
            request = ModelRequest.model_validate_json(question)
        except ValueError as error:
            # Noted by another version: it is asked when somebody wants it.
            log.info("cache.question_unreadable", reason=type(error).__name__)
            return
        obtained = await self._answers.renew(request)
        self._note(request, obtained, is_new=True, times=0)

    async def close(self) -> None:
        """Close the model inside. The cache is closed by whoever opened it."""
        await self._model.close()

    def statistics(self) -> KeptStatistics:
        """What keeping has brought so far, for metrics."""
        return self._answers.statistics()

    def describe(self) -> dict[str, Any]:
        """For status."""
        return {**asdict(self.statistics()), "prefers_cached": self.prefers_cached}

    async def _ask(self, request: ModelRequest) -> ModelAnswer:
        return await self._model.answer(request)

    def _note(self, request: ModelRequest, obtained: Obtained[ModelAnswer], *, is_new: bool, times: int = 1) -> None:
        if self._questions is None or obtained.fresh_seconds <= 0:
            return
        question = request.model_dump_json().encode()
        self._questions.add(Asked(obtained.key, times, question, obtained.fresh_seconds, is_new))


def _written(answer: ModelAnswer) -> bytes:
    return answer.model_dump_json().encode()
