"""Kept answers and limits are shown as they stand when they are scraped."""

import pytest
from prometheus_client import CollectorRegistry
from tests.manual_clock import ManualClock

from aicompany.allowance import Amounts
from aicompany.caching.renewal import RenewalPolicy
from aicompany.spec.servers import CacheSpec, LimitsSpec
from aicompany_workers.cache.cached_function import cached
from aicompany_workers.cache.memory import MemoryCache
from aicompany_workers.cache.memory_history import MemoryQuestionHistory
from aicompany_workers.cache.preload import Preload
from aicompany_workers.cache.question_log import QuestionLog
from aicompany_workers.limits.memory import MemoryRateLimits
from aicompany_workers.telemetry.metrics import WorkerMetrics


@pytest.fixture
def metrics():
    return WorkerMetrics(CollectorRegistry())


def value(metrics, name, **labels):
    return metrics.registry.get_sample_value(f"aicompany_{name}", labels)


def test_before_there_is_anything_to_show_nothing_is_shown(metrics):
    assert value(metrics, "cache_hits_total") is None
    assert value(metrics, "rate_limit_turns_total") is None


async def test_kept_answers(metrics):
    clock = ManualClock()

    @cached(
        MemoryCache(clock, entries_max=9), key=str, write=str.encode, read=bytes.decode, fresh_seconds=9, clock=clock
    )
    async def words(number: int) -> str:
        return str(number)

    policy = RenewalPolicy.of(CacheSpec())
    preload = Preload(MemoryQuestionHistory(clock, questions_max=9), QuestionLog(), policy, renew=words.renew)
    metrics.kept_answers.watch(words.statistics, preload)
    for number in (1, 1, 2):
        await words(number)
    assert (value(metrics, "cache_hits_total"), value(metrics, "cache_misses_total")) == (1, 2)
    assert (value(metrics, "cache_entries"), value(metrics, "cache_renewals_total")) == (2, 0)


async def test_limits(metrics):
    limits = MemoryRateLimits.of(LimitsSpec(requests_per_minute=100), ManualClock())
    metrics.rate_limits.watch(limits.statistics, lambda: 7)
    turn = await limits.reserve("m", input_tokens=1, output_tokens_max=1, wait_seconds_max=0)
    await limits.settle(turn, Amounts(1), slow_down=True, retry_after_seconds=30)
    labels = {"model": "m", "measure": "requests"}
    assert value(metrics, "rate_limit_per_minute", **labels) == pytest.approx(100)
    assert value(metrics, "rate_limit_left", **labels) == pytest.approx(97)
    assert value(metrics, "rate_limit_paused_seconds", model="m") == 30
    assert (value(metrics, "rate_limit_waiting"), value(metrics, "rate_limit_shared")) == (7, 0)
    assert value(metrics, "rate_limit_turns_total") == 1
