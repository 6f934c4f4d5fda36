"""A cached model over real HTTP: the same question is paid for once, and what must not be kept is not."""

import asyncio

import pytest
from tests.manual_clock import ManualClock
from tests.messages_api.server import MessagesApi, Reply
from tests.waiting import eventually

from aicompany.caching.renewal import RenewalPolicy
from aicompany.errors import AlreadyHandled, HeldElsewhere, ModelUnavailable
from aicompany.ports.model import ModelMessage, ModelRequest, StopReason, TextBlock
from aicompany.resilience.breaker import Breaker
from aicompany.spec.servers import CacheSpec
from aicompany.usage import NO_USAGE
from aicompany_workers.cache.memory import MemoryCache
from aicompany_workers.cache.memory_history import MemoryQuestionHistory
from aicompany_workers.cache.preload import Preload
from aicompany_workers.cache.question_log import QuestionLog
from aicompany_workers.cache.redis import RedisCache
from aicompany_workers.cache.redis_history import RedisQuestionHistory
from aicompany_workers.cache.tiered import TieredCache
from aicompany_workers.clock import SystemClock
from aicompany_workers.model.anthropic import AnthropicModel
from aicompany_workers.model.cached import CachedModel
from aicompany_workers.model.claimed import ClaimedModel
from aicompany_workers.model.credentials import Credentials
from aicompany_workers.model.offline import OfflineModel
from aicompany_workers.model.prices import PriceTable
from aicompany_workers.redis_server import RedisServer

SPEC = CacheSpec(ttl_seconds=100, stale_seconds=1000, preload_asked_min=3)


@pytest.fixture
async def api():
    async with MessagesApi().serving() as api:
        yield api


@pytest.fixture
async def claude(api):
    model = AnthropicModel(Credentials("sk-test", None, api.url), PriceTable.load())
    yield model
    await model.close()


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def cache(clock):
    return MemoryCache(clock, entries_max=100)


@pytest.fixture
def questions():
    return QuestionLog()


@pytest.fixture
def model(claude, cache, clock, questions):
    return CachedModel(claude, cache, SPEC, clock, questions=questions)


def question(text="hi", **fields):
    values = {"model": "claude-sonnet-5-5", "max_tokens": 1000, "timeout_seconds": 5, **fields}
    return ModelRequest(messages=(ModelMessage(role="user", content=(TextBlock(text=text),)),), **values)


async def test_the_same_question_is_asked_once_and_its_answer_marked(api, model):
    first = await model.answer(question())
    second = await model.answer(question(timeout_seconds=9))
    assert (first.cached, first.usage.calls) == (False, 1)
    assert (second.cached, second.usage, second.text) == (True, NO_USAGE, first.text)
    assert len(api.requests) == 1
    await model.answer(question("another"))
    assert len(api.requests) == 2


async def test_the_same_question_at_once_is_asked_once(api, model):
    api.latency_seconds = 0.05
    answers = await asyncio.gather(*(model.answer(question()) for _ in range(10)))
    assert len(api.requests) == 1
    assert sorted(answer.cached for answer in answers) == [False] + [True] * 9
    assert sum(answer.usage.calls for answer in answers) == 1
    assert model.statistics().shared == 9


@pytest.mark.parametrize(
    "stop", [StopReason.REFUSAL, StopReason.MAX_TOKENS, StopReason.PAUSE_TURN, StopReason.CONTEXT_WINDOW_EXCEEDED]
)
async def test_refusals_and_cut_answers_are_asked_again(api, model, stop):
    api.script = lambda _: Reply(stop_reason=stop.value)
    assert [(await model.answer(question())).cached for _ in range(2)] == [False, False]
    assert len(api.requests) == 2


async def test_errors_reach_all_and_are_not_kept(api, model):
    api.replies.append(Reply(500))
    outcomes = await asyncio.gather(*(model.answer(question()) for _ in range(3)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [ModelUnavailable] * 3
    assert not (await model.answer(question())).cached


@pytest.mark.parametrize("error", [HeldElsewhere("in the hands of another"), AlreadyHandled("handled meanwhile")])
async def test_a_message_that_is_in_other_hands_lets_go_of_itself_alone(api, claude, cache, clock, error):
    holders = iter([error])

    async def claim():
        await asyncio.sleep(0)
        for error in holders:
            raise error

    model = CachedModel(ClaimedModel(claude, claim), cache, SPEC, clock)
    outcomes = await asyncio.gather(*(model.answer(question()) for _ in range(3)), return_exceptions=True)
    assert outcomes[0] is error
    assert [outcome.text for outcome in outcomes[1:]] == ["a fine answer"] * 2
    assert len(api.requests) == 1


async def test_an_offline_models_answers_are_not_kept(cache, clock):
    model = CachedModel(OfflineModel(), cache, SPEC, clock)
    assert model.is_offline
    assert [(await model.answer(question())).cached for _ in range(2)] == [False, False]
    assert cache.statistics().entries == 0


async def test_under_overload_answers_past_their_time_are_given_out(api, model, clock):
    await model.answer(question())
    clock.advance(500)
    model.prefer_cached(60)
    assert (await model.answer(question())).cached
    assert model.describe() == {
        "hits": 0, "misses": 1, "stale_hits": 1, "shared": 0, "errors": 0, "entries": 1, "prefers_cached": True,
    }  # fmt: skip
    clock.advance(60)
    assert not (await model.answer(question())).cached
    assert len(api.requests) == 2


async def test_what_is_past_its_stale_time_is_asked_for_also_under_overload(model, clock):
    await model.answer(question())
    clock.advance(1101)
    model.prefer_cached(60)
    assert not (await model.answer(question())).cached


async def test_who_wants_a_new_answer_gets_one_and_the_others_get_it_too(api, model):
    await model.answer(question())
    api.replies.append(Reply(text="a better answer"))
    again = await model.answer(question(anew=True))
    assert (again.cached, again.text) == (False, "a better answer")
    assert (await model.answer(question())).text == "a better answer"
    assert len(api.requests) == 2


def preload_of(model, questions, history):
    return Preload(
        history, questions, RenewalPolicy.of(SPEC), renew=model.renew, is_welcome=lambda: not model.prefers_cached
    )


async def test_what_is_asked_often_is_renewed_before_it_expires_as_long_as_it_is_asked(api, model, clock, questions):
    preload = preload_of(model, questions, MemoryQuestionHistory(clock, questions_max=100))
    for text in ("common", "common", "common", "rare"):
        await model.answer(question(text))
    await preload.tell_once()
    clock.advance(80)
    assert await preload.look_once() == 0
    clock.advance(12)
    assert await preload.look_once() == 1
    assert await preload.look_once() == 0
    assert [body["messages"][0]["content"][0]["text"] for body in api.requests] == ["common", "rare", "common"]
    clock.advance(50)
    assert (await model.answer(question("common"))).cached
    await preload.tell_once()
    clock.advance(45)
    assert await preload.look_once() == 0, "it was asked only once since"


async def test_under_overload_nothing_is_renewed(api, model, clock, questions):
    preload = preload_of(model, questions, MemoryQuestionHistory(clock, questions_max=100))
    for _ in range(3):
        await model.answer(question())
    await preload.tell_once()
    clock.advance(95)
    model.prefer_cached(60)
    assert await preload.look_once() == 0
    model.prefer_cached(0)
    assert await preload.look_once() == 1


async def test_a_renewal_that_fails_disturbs_nobody_and_is_not_tried_over_and_over(api, model, clock, questions):
    preload = preload_of(model, questions, MemoryQuestionHistory(clock, questions_max=100))
    for _ in range(3):
        await model.answer(question())
    await preload.tell_once()
    clock.advance(95)
    api.replies.append(Reply(529))
    assert [await preload.look_once(), await preload.look_once()] == [0, 0]
    assert (preload.failed_total, len(api.requests)) == (1, 2)
    assert (await model.answer(question())).cached


async def test_a_question_of_another_version_is_passed_over(model):
    await model.renew(b'{"model": "m"}')


class Process:
    """What one worker process has."""

    def __init__(self, claude, redis_url, prefix):
        clock = SystemClock()
        self.server = RedisServer(redis_url, timeout_seconds=2, breaker=Breaker(), clock=clock)
        spec = CacheSpec(ttl_seconds=2, preload_asked_min=3)
        questions = QuestionLog()
        tiers = TieredCache(MemoryCache(clock, entries_max=10), RedisCache(self.server, prefix=prefix))
        self.model = CachedModel(claude, tiers, spec, clock, questions=questions)
        history = RedisQuestionHistory(self.server, prefix=prefix, questions_max=100)
        self.preload = Preload(history, questions, RenewalPolicy.of(spec), renew=self.model.renew)


async def test_two_processes_share_answers_and_renew_each_once(api, claude, redis_url, tmp_path):
    prefix = f"test:{tmp_path.name}:"
    one, other = (Process(claude, redis_url, prefix) for _ in range(2))
    assert not (await one.model.answer(question())).cached
    for process in (other, one, other):
        assert (await process.model.answer(question())).cached
    async with asyncio.TaskGroup() as group:
        running = [group.create_task(process.preload.run()) for process in (one, other)]
        await eventually(lambda: len(api.requests) == 2)
        await eventually(lambda: one.preload.renewed_total + other.preload.renewed_total == 1)
        for task in running:
            task.cancel()
    assert len(api.requests) == 2
    for process in (one, other):
        await process.server.close()
