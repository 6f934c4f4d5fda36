"""Limits are kept whatever is asked, used and said; waits are told rightly; nobody is overtaken."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from aicompany.allowance import Amounts, LimitsTold, Measure, NoTurn, Turn, WindowTold
from aicompany.resilience.rate_limits import (
    MARGIN,
    OUTPUT_TOKENS_GUESS,
    PAUSE_SECONDS,
    START_CALLS,
    RateLimits,
    level_at_most,
)
from aicompany.resilience.token_bucket import TokenBucket
from aicompany.spec.servers import LimitsSpec

buckets = st.builds(TokenBucket.full, capacity=st.floats(1, 1000), rate=st.floats(0.1, 100), now_seconds=st.just(0.0))


@given(buckets, st.lists(st.floats(0.1, 100), min_size=1, max_size=20))
def test_promises_are_covered_by_what_flows_in_in_the_order_they_were_made(bucket, amounts):
    """Who goes at the time it was told finds that all before it and itself have taken no more than there was."""
    promised, last = 0.0, 0.0
    for amount in (min(wished, bucket.capacity) for wished in amounts):
        wait = bucket.wait_seconds(amount, 0.0)
        bucket = bucket.reserve(amount, 0.0)
        promised += amount
        assert promised <= bucket.capacity + wait * bucket.rate + 1e-6
        assert wait >= last - 1e-6 or wait == 0
        last = wait


@given(buckets, st.floats(0.1, 100), st.floats(0, 10))
def test_what_is_put_back_is_there_again(bucket, amount, seconds):
    used = bucket.reserve(amount, 0.0).put_back(amount, seconds)
    assert used.level == pytest.approx(bucket.capacity)


@given(buckets, st.floats(-100, 2000))
def test_a_bucket_is_lowered_and_never_raised(bucket, level):
    assert bucket.lowered_to(level, 0.0).level == min(level, bucket.capacity)


def limits(**spec):
    return RateLimits.of(LimitsSpec(**spec), 0.0)


def ask(state, now=0.0, *, tokens=1.0, most=4000.0, wait=1e9):
    return state.reserve("m", input_tokens=tokens, output_tokens_max=most, wait_seconds_max=wait, now_seconds=now)


def test_calls_wait_when_the_minutes_requests_are_used():
    state = limits(requests_per_minute=100)
    waits = []
    for _ in range(100):
        turn, state = ask(state)
        waits.append(turn.wait_seconds)
    assert waits[:98] == [0.0] * 98
    assert waits[98:] == pytest.approx([0.6, 1.2])


def test_who_cannot_wait_takes_nothing():
    state = limits(requests_per_minute=1)
    _, state = ask(state)
    refused, after = ask(state, wait=5)
    assert refused == NoTurn(pytest.approx(60))
    assert after == state


def test_a_call_larger_than_a_minutes_allowance_goes_when_nothing_else_was_asked():
    state = limits(input_tokens_per_minute=1000)
    turn, state = ask(state, tokens=5000)
    assert turn.wait_seconds == 0
    turn, _ = ask(state, tokens=1)
    assert turn.wait_seconds > 240


def test_output_is_expected_as_long_as_recent_answers_and_never_longer_than_it_may_be():
    state = limits(output_tokens_per_minute=100_000)
    turn, state = ask(state)
    assert turn.reserved.output_tokens == OUTPUT_TOKENS_GUESS
    for _ in range(200):
        turn, state = ask(state)
        state = state.settle(turn, Amounts(1, 1, 80), 0.0)
    assert state.output_mean == pytest.approx(80, rel=0.01)
    assert ask(state)[0].reserved.output_tokens == state.output_mean
    assert ask(state, most=10)[0].reserved.output_tokens == 10


def test_settling_gives_back_what_was_not_used_and_takes_what_was_used_besides():
    state = limits(input_tokens_per_minute=1000, output_tokens_per_minute=1000)
    turn, state = ask(state, tokens=100)
    state = state.settle(turn, Amounts(1, 40, 700), 0.0)
    assert state.buckets[Measure.INPUT_TOKENS].level == pytest.approx(980 - 40)
    assert state.buckets[Measure.OUTPUT_TOKENS].level == pytest.approx(980 - 700)


def test_before_the_first_answer_few_calls_go_and_after_it_without_limits_all():
    state = limits()
    turns = []
    for _ in range(int(START_CALLS) + 5):
        turn, state = ask(state)
        turns.append(turn)
    assert [turn.wait_seconds for turn in turns[: int(START_CALLS)]] == [0.0] * int(START_CALLS)
    assert turns[-1].wait_seconds == pytest.approx(0.5)
    state = state.settle(turns[0], Amounts(1, 1, 1), 1.0)
    assert all(ask(state, 1.0)[0].wait_seconds == 0 for _ in range(1000))


def test_a_call_that_never_got_through_teaches_nothing():
    state = limits()
    turn, state = ask(state)
    assert state.settle(turn, Amounts(), 0.0).start is not None


def told(measure, limit, remaining, full_in=None, age=0.0):
    return LimitsTold("m", age_seconds=age, **{measure: WindowTold(limit, remaining, full_in)})


def test_limits_are_learnt_from_what_the_service_says():
    state = limits().heed(told("requests", 100, 40), 0.0)
    bucket = state.buckets[Measure.REQUESTS]
    assert (bucket.rate, bucket.level) == (100 / 60, 38)
    assert state.start is None


def test_what_was_asked_before_a_limit_was_known_is_settled_in_its_output_only():
    state = limits()
    turn, state = ask(state, tokens=50)
    state = state.heed(LimitsTold("m", *(WindowTold(1000, 500) for _ in range(3))), 0.0)
    state = state.settle(turn, Amounts(1, 70, 90), 0.0)
    assert [state.buckets[measure].level for measure in Measure] == [480, 480, 390]


def test_the_companys_own_limit_holds_when_the_service_allows_more():
    state = limits(requests_per_minute=10).heed(told("requests", 100, 100), 0.0)
    assert state.buckets[Measure.REQUESTS].rate == 10 / 60
    state = limits(requests_per_minute=100).heed(told("requests", 10, 10), 0.0)
    assert state.buckets[Measure.REQUESTS].rate == 10 / 60


windows = st.builds(
    WindowTold,
    limit=st.floats(1, 1e6),
    remaining=st.floats(0, 1e6),
    full_in_seconds=st.none() | st.floats(0, 120),
)


@given(windows, st.floats(0, 100))
def test_what_can_be_left_is_bounded_by_both_things_said(window, age):
    level = level_at_most(window, age)
    assert level <= window.remaining + window.limit / 60 * age
    if window.full_in_seconds is not None:
        assert level <= window.limit - window.limit / 60 * max(0.0, window.full_in_seconds - 1) + 1e-6


@given(st.floats(0, 1e7), st.floats(0, 1e7))
def test_a_wish_to_be_left_alone_is_kept_whatever_its_length(seconds, later):
    state = limits(requests_per_minute=1000).pause(seconds, 5.0)
    turn, _ = ask(state, 5.0)
    assert turn.wait_seconds == pytest.approx(seconds)
    turn, _ = ask(state.pause(later, 5.0), 5.0)
    assert turn.wait_seconds == pytest.approx(max(seconds, later))
    assert ask(state, 5.0 + seconds + 1e-3)[0].wait_seconds == 0


def test_without_a_wish_the_pause_is_short():
    state = limits(requests_per_minute=1000).pause(None, 0.0)
    assert ask(state)[0].wait_seconds == PAUSE_SECONDS


def test_after_a_pause_without_known_limits_calls_begin_as_few_as_at_the_start():
    state = limits()
    turn, state = ask(state)
    state = state.settle(turn, Amounts(1, 1, 1), 0.0).pause(10, 0.0)
    waits = []
    for _ in range(30):
        turn, state = ask(state, 11.0)
        waits.append(turn.wait_seconds)
    assert waits[19] == 0
    assert waits[29] > 0.5


@given(st.integers(1, 50), st.floats(1, 1000))
def test_shares_add_up_to_the_whole(callers, tokens):
    whole = limits(requests_per_minute=600, output_tokens_per_minute=9000)
    _, whole = ask(whole, tokens=tokens)
    share = whole.scaled(1 / callers, 3.0)
    again = share.scaled(callers, 3.0)
    for measure, bucket in whole.buckets.items():
        assert share.buckets[measure].rate * callers == pytest.approx(bucket.rate)
        assert again.buckets[measure].level == pytest.approx(bucket.at(3.0).level)


LIMIT = {Measure.REQUESTS: 60.0, Measure.INPUT_TOKENS: 6000.0, Measure.OUTPUT_TOKENS: 3000.0}


class ServiceAndCallers(RuleBasedStateMachine):
    """A service that enforces limits nobody told, and callers whose estimates are wrong.

    The service counts requests and input when a call comes in and output when it ends, as ours does; so what callers
    reserve and settle must never ask more of it than it has, once the limits were heard. Callers wait in one line: who
    waits has taken its amount before the service sees it, which the margin covers.
    """

    def __init__(self):
        super().__init__()
        self.now = 0.0
        self.ours = RateLimits.of(LimitsSpec(), 0.0)
        self.theirs = {
            measure: TokenBucket.full(capacity=limit, rate=limit / 60, now_seconds=0.0)
            for measure, limit in LIMIT.items()
        }
        self.waiting: list[tuple[float, Turn]] = []
        self.under_way: list[Turn] = []
        turn, self.ours = ask(self.ours, tokens=1)
        self.ours = self.ours.settle(turn, Amounts(1, 1, 1), 0.0).heed(self.say(), 0.0)

    def say(self):
        windows = {}
        for measure, bucket in self.theirs.items():
            level = max(0.0, bucket.at(self.now).level)
            full_in = (bucket.capacity - bucket.at(self.now).level) / bucket.rate
            windows[measure.value] = WindowTold(bucket.capacity, level, full_in)
        return LimitsTold("m", **windows)

    @rule(seconds=st.floats(0, 30))
    def time_goes_by(self, seconds):
        end = self.now + seconds
        for at, turn in sorted(self.waiting, key=lambda pair: pair[0]):
            if at <= end:
                self.now = max(self.now, at)
                self.go(turn)
        self.waiting = [(at, turn) for at, turn in self.waiting if at > end]
        self.now = end

    @precondition(lambda self: not self.waiting)
    @rule(tokens=st.floats(1, MARGIN * LIMIT[Measure.INPUT_TOKENS]))
    def reserve(self, tokens):
        turn, self.ours = ask(self.ours, self.now, tokens=tokens, wait=60)
        if isinstance(turn, Turn):
            if turn.wait_seconds > 0:
                self.waiting.append((self.now + turn.wait_seconds, turn))
            else:
                self.go(turn)

    def go(self, turn):
        for measure in (Measure.REQUESTS, Measure.INPUT_TOKENS):
            amount = turn.reserved.of(measure)
            bucket = self.theirs[measure].at(self.now)
            assert bucket.level >= min(amount, bucket.capacity) - 1e-6, f"{measure} over its limit"
            self.theirs[measure] = bucket.reserve(amount, self.now)
        self.under_way.append(turn)

    @precondition(lambda self: self.under_way)
    @rule(output=st.floats(1, 400), which=st.integers(0, 1000))
    def ends(self, output, which):
        turn = self.under_way.pop(which % len(self.under_way))
        bucket = self.theirs[Measure.OUTPUT_TOKENS]
        self.theirs[Measure.OUTPUT_TOKENS] = bucket.reserve(output, self.now)
        self.ours = self.ours.settle(turn, Amounts(1, turn.reserved.input_tokens, output), self.now)
        self.ours = self.ours.heed(self.say(), self.now)

    @precondition(lambda self: self.waiting)
    @rule(which=st.integers(0, 1000))
    def gives_up(self, which):
        _, turn = self.waiting.pop(which % len(self.waiting))
        self.ours = self.ours.settle(turn, Amounts(), self.now)

    @precondition(lambda self: self.under_way)
    @rule()
    def fails_unread(self):
        turn = self.under_way.pop()
        self.ours = self.ours.settle(turn, turn.reserved, self.now)

    @invariant()
    def nothing_is_thought_to_be_left_that_is_not(self):
        for measure in (Measure.REQUESTS, Measure.INPUT_TOKENS):
            assert self.ours.buckets[measure].at(self.now).level <= self.theirs[measure].at(self.now).level + 1e-6


TestServiceAndCallers = ServiceAndCallers.TestCase
TestServiceAndCallers.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_the_margin_is_small():
    assert 0 < MARGIN < 0.05
