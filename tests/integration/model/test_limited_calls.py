"""A limited model over real HTTP: it learns the limits from the headers and keeps to them; wishes to wait are kept."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from tests.messages_api.limits import EnforcedLimits
from tests.messages_api.server import MessagesApi, Reply
from tests.waiting import eventually

from aicompany.allowance import LimitsTold, WindowTold
from aicompany.errors import (
    BreakerOpen,
    CredentialsInvalid,
    ModelOverloaded,
    ModelRateLimited,
    ModelUnavailable,
    TurnTooFar,
)
from aicompany.ports.model import (
    ModelMessage,
    ModelRequest,
    OpaqueBlock,
    TextBlock,
    ToolResultBlock,
    ToolSpec,
    ToolUseBlock,
)
from aicompany.resilience.breaker import Breaker
from aicompany.spec.servers import LimitsSpec
from aicompany_workers.clock import SystemClock
from aicompany_workers.limits.memory import MemoryRateLimits
from aicompany_workers.model.anthropic import AnthropicModel
from aicompany_workers.model.credentials import Credentials
from aicompany_workers.model.guarded import GuardedModel
from aicompany_workers.model.limited import LimitedModel, expected_input_tokens
from aicompany_workers.model.limits_heard import LimitsHeard
from aicompany_workers.model.offline import OfflineModel
from aicompany_workers.model.prices import PriceTable
from aicompany_workers.model.rate_limit_headers import limits_told

MODEL = "claude-sonnet-5-5"


@pytest.fixture
async def api():
    async with MessagesApi().serving() as api:
        yield api


@pytest.fixture
async def make(api):
    """A limited model as a company's file wants it."""
    made = []

    def make(spec=None, **breaker):
        clock, heard = SystemClock(), LimitsHeard()
        claude = AnthropicModel(Credentials("sk-test", None, api.url), PriceTable.load(), limits_heard=heard.hear)
        guarded = GuardedModel(claude, breaker=Breaker(**breaker), concurrency=1000, clock=clock)
        limits = MemoryRateLimits.of(spec or LimitsSpec(), clock)
        made.append(LimitedModel(guarded, limits, heard, clock))
        return made[-1]

    yield make
    for model in made:
        await model.close()


def question(text="hi", **fields):
    values = {"model": MODEL, "max_tokens": 1000, "timeout_seconds": 5, **fields}
    return ModelRequest(messages=(ModelMessage(role="user", content=(TextBlock(text=text),)),), **values)


def level(model, measure):
    return model.describe()["models"][MODEL][measure]["left"]


async def test_limits_are_learnt_from_the_first_answer_and_kept(api, make):
    api.limits = EnforcedLimits(requests=60)
    model = make()
    await model.answer(question())
    assert model.describe()["models"][MODEL]["requests"]["per_minute"] == 60
    outcomes = await asyncio.gather(
        *(model.answer(question(f"{n}", timeout_seconds=1)) for n in range(150)), return_exceptions=True
    )
    late = [outcome for outcome in outcomes if isinstance(outcome, TurnTooFar)]
    assert api.limits.refused == 0
    assert 58 <= api.limits.accepted <= 62
    assert len(late) == 151 - api.limits.accepted
    assert all(error.retry_after_seconds > 0 for error in late)


async def test_calls_wait_for_their_turn_in_the_order_they_came(api, make):
    model = make(LimitsSpec(requests_per_minute=1200))
    await asyncio.gather(*(model.answer(question()) for _ in range(1176)))
    ended = []

    async def call(number):
        await model.answer(question(str(number)))
        ended.append(number)

    async with asyncio.TaskGroup() as group:
        for number in range(10):
            group.create_task(call(number))
    asked = [body["messages"][0]["content"][0]["text"] for body in api.requests[1176:]]
    assert asked == [str(number) for number in range(10)]
    assert sorted(ended) == list(range(10))
    assert model.describe()["waited_seconds"] > 0


async def test_what_was_really_used_is_what_counts(api, make):
    api.script = lambda _: Reply(output_tokens=5000)
    model = make(LimitsSpec(input_tokens_per_minute=100_000, output_tokens_per_minute=100_000))
    await model.answer(question("x" * 4000))
    assert 97_900 <= level(model, "input_tokens") <= 98_000, "100 tokens, as the service says"
    assert 93_000 <= level(model, "output_tokens") < 95_000


async def test_a_wish_to_wait_holds_all_callers(api, make):
    api.replies.append(Reply(429, headers={"retry-after": "1"}))
    model = make()
    began = time.monotonic()
    with pytest.raises(ModelRateLimited) as caught:
        await model.answer(question())
    assert caught.value.retry_after_seconds == 1
    await asyncio.gather(*(model.answer(question()) for _ in range(5)))
    assert time.monotonic() - began >= 1


async def test_a_long_wish_is_told_to_all_callers_at_once(api, make):
    api.replies.append(Reply(429, headers={"retry-after": "7200"}))
    model = make()
    with pytest.raises(ModelRateLimited):
        await model.answer(question())
    began = time.monotonic()
    outcomes = await asyncio.gather(*(model.answer(question()) for _ in range(20)), return_exceptions=True)
    assert all(isinstance(error, TurnTooFar) and 7100 < error.retry_after_seconds <= 7200 for error in outcomes)
    assert "7200 s" in outcomes[0].message
    assert "5 s" in outcomes[0].message
    assert time.monotonic() - began < 2
    assert len(api.requests) == 1


async def test_an_overloaded_service_that_asks_to_be_left_alone_is_left_alone(api, make):
    api.replies.append(Reply(529, headers={"retry-after": "60"}))
    model = make()
    with pytest.raises(ModelOverloaded):
        await model.answer(question())
    with pytest.raises(TurnTooFar):
        await model.answer(question())


async def test_a_refused_call_took_nothing(api, make):
    model = make(LimitsSpec(input_tokens_per_minute=1_000_000, requests_per_minute=1000))
    api.replies.append(Reply(401))
    with pytest.raises(CredentialsInvalid):
        await model.answer(question("x" * 40_000))
    assert level(model, "input_tokens") == 980_000


async def test_a_call_that_the_breaker_stops_took_nothing(api, make):
    model = make(LimitsSpec(input_tokens_per_minute=1_000_000), failures_max=1, open_seconds=60)
    api.replies.append(Reply(500))
    with pytest.raises(ModelUnavailable):
        await model.answer(question())
    before = level(model, "input_tokens")
    with pytest.raises(BreakerOpen):
        await model.answer(question("x" * 40_000))
    assert level(model, "input_tokens") >= before


async def test_a_call_that_failed_half_way_counts_as_it_was_expected(api, make):
    api.replies.append(Reply(500))
    model = make(LimitsSpec(input_tokens_per_minute=100_000))
    with pytest.raises(ModelUnavailable):
        await model.answer(question("x" * 40_000))
    assert level(model, "input_tokens") < 90_000


async def test_a_caller_who_gives_up_waiting_gives_its_place_back(make):
    model = make(LimitsSpec(input_tokens_per_minute=60_000))
    await model.answer(question("x" * 4))
    waiting = asyncio.create_task(model.answer(question("x" * 300_000, timeout_seconds=100)))
    await eventually(lambda: level(model, "input_tokens") < 0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert level(model, "input_tokens") > 50_000
    assert model.waiting == 0
    assert (await model.answer(question())).text


async def test_an_offline_model_is_not_limited():
    clock = SystemClock()
    limits = MemoryRateLimits.of(LimitsSpec(requests_per_minute=1), clock)
    model = LimitedModel(OfflineModel(), limits, LimitsHeard(), clock)
    assert [bool((await model.answer(question())).text) for _ in range(5)] == [True] * 5
    assert limits.statistics().turns == 0


def test_everything_the_model_reads_is_expected_to_be_read():
    blocks = (
        TextBlock(text="x" * 400),
        ToolUseBlock(id="t", name="n", input={"a": "x" * 400}),
        ToolResultBlock(tool_use_id="t", content="x" * 400),
        OpaqueBlock(data={"thinking": "x" * 400}),
    )
    tool = ToolSpec(name="n", description="x" * 400, input_schema={"description": "x" * 400})
    request = ModelRequest(
        model=MODEL, system="x" * 400, tools=(tool,), max_tokens=10, timeout_seconds=1,
        messages=(ModelMessage(role="user", content=blocks),),
    )  # fmt: skip
    assert 700 <= expected_input_tokens(request) <= 730


NOW = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


def headers(**windows):
    told = {"date": format_datetime(NOW, usegmt=True)}
    for name, (limit, remaining, reset) in windows.items():
        prefix = f"anthropic-ratelimit-{name.replace('_', '-')}"
        told |= {f"{prefix}-limit": limit, f"{prefix}-remaining": remaining, f"{prefix}-reset": reset}
    return told


def test_headers_are_read_by_the_services_own_clock():
    later = (NOW + timedelta(seconds=30)).isoformat().replace("+00:00", "Z")
    told = limits_told(
        "m", headers(requests=("50", "49", later), output_tokens=("8000", "7000", later)), since_asked_seconds=2
    )
    window = WindowTold(50, 49, 30)
    assert told == LimitsTold("m", requests=window, output_tokens=WindowTold(8000, 7000, 30), age_seconds=2)
    told = limits_told("m", headers(requests=("50", "49", later)), since_asked_seconds=12, since_headers_seconds=10)
    assert told == LimitsTold("m", requests=WindowTold(50, 49, 20), age_seconds=12)


@pytest.mark.parametrize(
    "odd",
    [{}, {"requests": ("", "", "")}, {"requests": ("many", "1", "")}, {"requests": ("0", "0", "")},
     {"requests": ("-5", "1", "")}, {"requests": ("inf", "1", "")}, {"requests": ("nan", "nan", "")}],
)  # fmt: skip
def test_headers_that_say_nothing_readable_say_nothing(odd):
    assert limits_told("m", headers(**odd), since_asked_seconds=0) is None


def test_a_reset_that_cannot_be_read_is_left_out():
    told = limits_told("m", headers(requests=("50", "49", "tomorrow")), since_asked_seconds=0)
    assert told == LimitsTold("m", requests=WindowTold(50, 49))


@pytest.mark.parametrize("most", [1000, 20_000], ids=["whole", "streamed"])
async def test_what_the_service_says_is_heard_with_answers_and_refusals(api, most):
    api.limits = EnforcedLimits(requests=50, input_tokens=40_000, output_tokens=8000)
    heard = []
    model = AnthropicModel(Credentials("sk", None, api.url), PriceTable.load(), limits_heard=heard.append)
    await model.answer(question(max_tokens=most))
    api.replies.append(Reply(429, headers={"retry-after": "3"}))
    with pytest.raises(ModelRateLimited):
        await model.answer(question(max_tokens=most))
    await model.close()
    assert [told.model for told in heard] == [MODEL] * 2
    first, second = (told.requests for told in heard)
    assert (first.limit, first.remaining, second.remaining) == (50, 49, 48)
    assert heard[0].input_tokens == WindowTold(40_000, 40_000, heard[0].input_tokens.full_in_seconds)
    assert 0 <= first.full_in_seconds <= 2
    assert 0 < heard[0].age_seconds < 5
