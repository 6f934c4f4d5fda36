"""What all rate limits do. An adapter's test class brings `make`, which makes limits out of a company's file.

Times are real, so limits here are wide enough that a slow machine does not change what is seen.
"""

import asyncio

import pytest

from aicompany.allowance import Amounts, LimitsTold, NoTurn, Turn, WindowTold
from aicompany.ports.rate_limits import RateLimits
from aicompany.spec.servers import LimitsSpec

MODEL = "claude-test"


async def ask(limits: RateLimits, *, tokens=10.0, most=100.0, wait=1e6, model=MODEL):
    return await limits.reserve(model, input_tokens=tokens, output_tokens_max=most, wait_seconds_max=wait)


def state_of(limits: RateLimits, measure: str, model=MODEL):
    return limits.statistics().limits[model][measure]


class RateLimitsContract:
    async def test_within_the_limits_it_is_everybodys_turn_at_once(self, make) -> None:
        limits = await make(LimitsSpec(requests_per_minute=1000))
        turns = [await ask(limits) for _ in range(50)]
        assert all(isinstance(turn, Turn) and turn.wait_seconds == 0 for turn in turns)
        assert limits.statistics().turns == 50

    async def test_over_a_limit_turns_come_one_after_another(self, make) -> None:
        limits = await make(LimitsSpec(requests_per_minute=100))
        turns = [await ask(limits) for _ in range(110)]
        waits = [turn.wait_seconds for turn in turns]
        assert waits[:98] == [0.0] * 98
        assert waits == sorted(waits)
        assert 5 < waits[-1] < 8

    async def test_tokens_are_limited_as_requests_are(self, make) -> None:
        limits = await make(LimitsSpec(input_tokens_per_minute=1000, output_tokens_per_minute=1000))
        assert (await ask(limits, tokens=900, most=50)).wait_seconds == 0
        assert 7 < (await ask(limits, tokens=200, most=1)).wait_seconds <= 8
        limits = await make(LimitsSpec(output_tokens_per_minute=1000))
        assert (await ask(limits, most=400)).wait_seconds == 0
        assert (await ask(limits, most=400)).wait_seconds == 0
        assert 12 < (await ask(limits, most=400)).wait_seconds <= 14

    async def test_who_cannot_wait_so_long_is_told_how_long_it_would_be(self, make) -> None:
        limits = await make(LimitsSpec(input_tokens_per_minute=600))
        await ask(limits, tokens=588)
        refused = await ask(limits, tokens=100, wait=5)
        assert isinstance(refused, NoTurn)
        assert 9 < refused.retry_after_seconds <= 10
        assert isinstance(await ask(limits, tokens=100, wait=15), Turn)
        assert (limits.statistics().turns, limits.statistics().refused) == (2, 1)

    async def test_models_have_limits_of_their_own(self, make) -> None:
        limits = await make(LimitsSpec(requests_per_minute=1))
        await ask(limits)
        assert (await ask(limits)).wait_seconds > 30
        assert (await ask(limits, model="another")).wait_seconds == 0

    async def test_settling_corrects_what_was_expected(self, make) -> None:
        limits = await make(LimitsSpec(input_tokens_per_minute=100_000, output_tokens_per_minute=100_000))
        turn = await ask(limits, tokens=5000, most=300)
        assert (turn.reserved.input_tokens, turn.reserved.output_tokens) == (5000, 300)
        await limits.settle(turn, Amounts(1, 3000, 8000))
        # A little flows in meanwhile: about 1,700 a second.
        assert 95_000 <= state_of(limits, "input_tokens").level <= 98_000
        assert 90_000 <= state_of(limits, "output_tokens").level <= 95_000

    async def test_what_was_never_asked_is_given_back(self, make) -> None:
        limits = await make(LimitsSpec(requests_per_minute=2))
        turns = [await ask(limits), await ask(limits)]
        assert turns[1].wait_seconds > 0
        for turn in turns:
            await limits.settle(turn, Amounts())
        assert (await ask(limits)).wait_seconds == 0

    async def test_the_services_word_lowers_what_is_thought_to_be_left(self, make) -> None:
        limits = await make(LimitsSpec(requests_per_minute=100))
        turn = await ask(limits)
        await limits.settle(turn, Amounts(1, 1, 1), told=LimitsTold(MODEL, requests=WindowTold(100, 12)))
        assert 9 < state_of(limits, "requests").level < 13

    async def test_limits_nobody_set_are_learnt(self, make) -> None:
        limits = await make(LimitsSpec())
        turn = await ask(limits)
        told = LimitsTold(MODEL, output_tokens=WindowTold(60_000, 0, full_in_seconds=60.0))
        await limits.settle(turn, Amounts(1, 10, 10), told=told)
        assert state_of(limits, "output_tokens").limit == pytest.approx(60_000)
        assert (await ask(limits, most=5000)).wait_seconds > 0

    async def test_before_the_first_answer_few_calls_go(self, make) -> None:
        limits = await make(LimitsSpec())
        waits = [(await ask(limits)).wait_seconds for _ in range(100)]
        assert waits[:20] == [0.0] * 20
        assert waits[-1] > 2

    async def test_a_wish_to_slow_down_is_kept_by_all_whatever_its_length(self, make) -> None:
        limits = await make(LimitsSpec(requests_per_minute=1000))
        turn = await ask(limits)
        assert await limits.paused_seconds(MODEL) == 0
        await limits.settle(turn, Amounts(), slow_down=True, retry_after_seconds=7200)
        assert 7100 < await limits.paused_seconds(MODEL) <= 7200
        assert 7100 < (await ask(limits)).wait_seconds <= 7200
        refused = await ask(limits, wait=300)
        assert isinstance(refused, NoTurn)
        assert 7100 < refused.retry_after_seconds <= 7200
        assert 7100 < limits.statistics().paused_seconds[MODEL] <= 7200

    async def test_without_a_wish_all_wait_a_little(self, make) -> None:
        limits = await make(LimitsSpec(requests_per_minute=1000))
        await limits.settle(await ask(limits), Amounts(), slow_down=True)
        assert 0 < await limits.paused_seconds(MODEL) <= 2

    async def test_many_at_once_together_get_no_more_than_there_is(self, make) -> None:
        limits = await make(LimitsSpec(requests_per_minute=100))
        turns = await asyncio.gather(*(ask(limits, wait=0) for _ in range(300)))
        granted = sum(isinstance(turn, Turn) for turn in turns)
        # What flows in meanwhile is less than two a second.
        assert 98 <= granted <= 105

    async def test_closing_again_does_no_harm(self, make) -> None:
        limits = await make(LimitsSpec())
        await limits.close()
        await limits.close()
