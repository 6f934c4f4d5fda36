"""A model that is asked only for messages that are nobody else's, and once for each question of a message."""

from collections.abc import Awaitable, Callable, MutableSequence

from aicompany.ports.model import Model, ModelAnswer, ModelRequest

Answered = tuple[ModelRequest, ModelAnswer]


class ClaimedModel:
    """`ports.model.Model` around another one.

    Before each question, `claim` says that the message is in hand here. `answered` holds what the message was told
    before: when the store is away at the moment of the commit, the message is decided anew once it is back, and
    what was paid for is not asked again.
    """

    def __init__(
        self,
        model: Model,
        claim: Callable[[], Awaitable[None]],
        answered: Callable[[], MutableSequence[Answered]] = list,
    ) -> None:
        self._model = model
        self._claim = claim
        self._answered = answered

    @property
    def is_offline(self) -> bool:
        """As the model inside."""
        return self._model.is_offline

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        """Ask once. Raises `HeldElsewhere` and `AlreadyHandled` besides what the model inside raises."""
        answered = self._answered()
        for asked, answer in answered:
            if asked == request:
                return answer
        await self._claim()
        answer = await self._model.answer(request)
        answered.append((request, answer))
        return answer

    async def close(self) -> None:
        """Close the model inside."""
        await self._model.close()
