"""A question of a message is paid for once, however often the message has to be decided anew."""

import pytest

from aicompany.errors import AlreadyHandled
from aicompany.ports.model import ModelAnswer, ModelMessage, ModelRequest, StopReason, TextBlock
from aicompany.usage import NO_USAGE
from aicompany_workers.clock import SystemClock
from aicompany_workers.model.claimed import ClaimedModel
from aicompany_workers.presence import LonePresence
from aicompany_workers.runtime.claims import AlwaysSeen, Claims


class CountingModel:
    is_offline = True

    def __init__(self) -> None:
        self.calls = 0

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        self.calls += 1
        said = TextBlock(text=f"{self.calls}")
        return ModelAnswer(content=(said,), stop_reason=StopReason.END_TURN, usage=NO_USAGE, model=request.model)

    async def close(self) -> None:
        """Nothing to close."""


def question(text: str) -> ModelRequest:
    message = ModelMessage(role="user", content=(TextBlock(text=text),))
    return ModelRequest(model="m", messages=(message,), max_tokens=10, timeout_seconds=1)


async def nothing_is_handled(_: str) -> bool:
    return False


async def everything_is_handled(_: str) -> bool:
    return True


async def test_a_message_is_told_again_what_it_was_told_before():
    inner = CountingModel()
    claims = Claims(LonePresence(SystemClock()), "here", AlwaysSeen(), silent_seconds_max=10)
    model = ClaimedModel(inner, claims.take, claims.answered)
    with claims.handling("one", nothing_is_handled):
        told = [(await model.answer(question(text))).text for text in ("a", "a", "b", "a")]
    with claims.handling("two", nothing_is_handled):
        told += [(await model.answer(question("a"))).text]
    told += [(await model.answer(question("a"))).text for _ in range(2)]
    assert told == ["1", "1", "2", "1", "3", "4", "5"]


async def test_a_message_that_was_handled_meanwhile_asks_nothing():
    inner = CountingModel()
    claims = Claims(LonePresence(SystemClock()), "here", AlwaysSeen(), silent_seconds_max=10)
    model = ClaimedModel(inner, claims.take, claims.answered)
    with claims.handling("one", everything_is_handled), pytest.raises(AlreadyHandled):
        await model.answer(question("a"))
    assert inner.calls == 0
