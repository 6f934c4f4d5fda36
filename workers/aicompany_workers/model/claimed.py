"""A model that is asked only for messages that are nobody else's."""

from collections.abc import Awaitable, Callable

from aicompany.ports.model import Model, ModelAnswer, ModelRequest


class ClaimedModel:
    """`ports.model.Model` around another one: before each question, `claim` says that the message is in hand here."""

    def __init__(self, model: Model, claim: Callable[[], Awaitable[None]]) -> None:
        self._model = model
        self._claim = claim

    @property
    def is_offline(self) -> bool:
        """As the model inside."""
        return self._model.is_offline

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        """Ask once. Raises `HeldElsewhere` besides what the model inside raises."""
        await self._claim()
        return await self._model.answer(request)

    async def close(self) -> None:
        """Close the model inside."""
        await self._model.close()
