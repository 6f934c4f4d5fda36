"""Guarded calls: what is away is left alone, found again, and seen in status and metrics."""

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from aicompany.errors import BreakerOpen, ModelRefused, ModelUnavailable, PassingError, QueueFull
from aicompany.ports.notifier import Notice, NoticeKind
from aicompany.resilience.breaker import Breaker, Circuit
from aicompany.resilience.retry import Postpone, RetryPolicy, decide_retry
from aicompany_workers.breakers import Breakers, GuardedCalls
from aicompany_workers.clock import SystemClock
from aicompany_workers.notify.guarded import GuardedNotifier


class Notes:
    """A notifier that can be away."""

    name = "notes"

    def __init__(self):
        self.is_away = False
        self.told = []

    async def notify(self, notice):
        if self.is_away:
            raise PassingError("nobody answers")
        self.told.append(notice.id)
        return "told"


def calls(**fields):
    return GuardedCalls("it", Breaker(failures_max=2, open_seconds=60), SystemClock(), **fields)


async def failing():
    raise ModelUnavailable("away")


async def answering():
    return "fine"


async def refusing():
    raise ModelRefused("no")


async def test_what_fails_in_a_row_is_left_alone_and_says_for_how_long():
    guarded = calls()
    for _ in range(2):
        with pytest.raises(ModelUnavailable):
            await guarded.call(failing)
    with pytest.raises(BreakerOpen, match="it failed 2 times in a row; it is asked again in 60 s") as raised:
        await guarded.call(answering)
    assert raised.value.retry_after_seconds == pytest.approx(60, abs=1)


async def test_an_answer_that_was_not_hoped_for_is_an_answer():
    guarded = calls()
    for work in (failing, refusing, failing):
        with pytest.raises((ModelUnavailable, ModelRefused)):
            await guarded.call(work)
    assert guarded.breaker.circuit is Circuit.CLOSED


async def test_only_its_own_failures_count():
    guarded = calls(failures=ModelUnavailable)

    async def full():
        raise QueueFull("full")

    for _ in range(5):
        with pytest.raises(QueueFull):
            await guarded.call(full)
    assert guarded.breaker.circuit is Circuit.CLOSED


async def test_whoever_finds_it_again_closes_the_breaker():
    guarded = calls()
    guarded.failed()
    guarded.failed()
    assert guarded.breaker.circuit is Circuit.OPEN
    guarded.recovered()
    assert await guarded.call(answering) == "fine"


async def test_a_notifier_that_is_away_costs_no_order_a_try():
    notes = Notes()
    notifier = GuardedNotifier(notes, calls())
    notice = Notice("n", NoticeKind.RESULT, "t", "title", "text")
    notes.is_away = True
    for _ in range(2):
        with pytest.raises(PassingError):
            await notifier.notify(notice)
    with pytest.raises(BreakerOpen) as raised:
        await notifier.notify(notice)
    assert isinstance(decide_retry(raised.value, attempt=3, policy=RetryPolicy(), jitter=0), Postpone)
    assert notes.told == []


async def test_all_breakers_show_in_status_and_metrics():
    breakers, guarded, registry = Breakers(), calls(), CollectorRegistry()
    breakers.watch("thing", lambda: guarded.breaker)
    registry.register(breakers)
    await guarded.call(answering)
    guarded.failed()
    guarded.failed()
    described = breakers.statuses()["thing"]
    assert (described["state"], described["succeeded"], described["failed"], described["opened"]) == ("open", 1, 2, 1)
    assert described["changes"] == 1
    shown = generate_latest(registry).decode()
    assert 'aicompany_breaker_state{breaker="thing",state="open"} 1.0' in shown
    assert 'aicompany_breaker_state{breaker="thing",state="closed"} 0.0' in shown
    assert 'aicompany_breaker_calls_total{breaker="thing",outcome="failed"} 2.0' in shown
    assert 'aicompany_breaker_opened_total{breaker="thing"} 1.0' in shown
