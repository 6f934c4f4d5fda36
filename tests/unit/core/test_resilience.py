"""Retry, circuit breaker and token bucket keep their promises for all inputs."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from aicompany.errors import (
    BreakerOpen,
    CredentialsInvalid,
    DefectError,
    ModelRateLimited,
    ModelRefused,
    ModelUnavailable,
    OrderInvalid,
)
from aicompany.resilience.breaker import TRANSITIONS, Breaker, Circuit, Signal
from aicompany.resilience.retry import GiveUp, Postpone, Retry, RetryPolicy, decide_retry
from aicompany.resilience.token_bucket import TokenBucket

policies = st.builds(
    RetryPolicy,
    attempts_max=st.integers(1, 10),
    delay_seconds=st.floats(0, 60),
    factor=st.floats(1, 10),
    delay_seconds_max=st.floats(0, 600),
    jitter=st.floats(0, 1),
)
jitters = st.floats(0, 1, exclude_max=True)


@given(policies, st.integers(1, 1000), jitters)
def test_own_delays_stay_within_the_maximum_and_its_jitter(policy, attempt, jitter):
    delay = policy.delay_after(attempt, jitter)
    assert 0 <= delay <= policy.delay_seconds_max * (1 + policy.jitter)


@given(policies, st.integers(1, 9), st.floats(0, 1e7), jitters)
def test_a_wait_the_service_asks_for_is_never_undercut(policy, attempt, wished, jitter):
    error = ModelRateLimited("slow down", retry_after_seconds=wished)
    match decide_retry(error, attempt=attempt, policy=policy, jitter=jitter):
        case Retry(delay_seconds=delay):
            assert delay >= wished
        case GiveUp():
            assert attempt >= policy.attempts_max
        case other:
            pytest.fail(f"{other}")


@pytest.mark.parametrize("error", [ModelRefused("no"), CredentialsInvalid("key"), OrderInvalid("empty")])
def test_what_would_be_the_same_again_is_given_up_at_once(error):
    decision = decide_retry(error, attempt=1, policy=RetryPolicy(), jitter=0)
    assert isinstance(decision, GiveUp)
    assert decision.failure.permanent
    assert decision.failure.code == error.code


@pytest.mark.parametrize("error", [ModelUnavailable("gone"), DefectError("bug"), ZeroDivisionError("secret")])
def test_three_tries_then_given_up(error):
    decisions = [decide_retry(error, attempt=n, policy=RetryPolicy(), jitter=0.5) for n in (1, 2, 3)]
    assert [type(decision) for decision in decisions] == [Retry, Retry, GiveUp]
    assert [d.delay_seconds for d in decisions[:2]] == [1.0, 2.0]


def test_a_bug_shows_its_class_and_not_its_text():
    decision = decide_retry(ZeroDivisionError("sk-secret"), attempt=3, policy=RetryPolicy(), jitter=0)
    assert isinstance(decision, GiveUp)
    assert "ZeroDivisionError" in decision.failure.message
    assert "secret" not in decision.failure.message


def test_an_open_breaker_costs_no_try():
    error = BreakerOpen("open", retry_after_seconds=42)
    assert decide_retry(error, attempt=3, policy=RetryPolicy(), jitter=0) == Postpone(42, "open")


def test_a_breaker_that_does_not_say_how_long_costs_the_policys_wait():
    assert decide_retry(BreakerOpen("open"), attempt=2, policy=RetryPolicy(), jitter=0.5) == Postpone(2.0, "open")


def test_the_breakers_table_is_complete():
    assert set(TRANSITIONS) == {(circuit, signal) for circuit in Circuit for signal in Signal}


class BreakerProtocol(RuleBasedStateMachine):
    """Calls that pass, end well or badly, and time that goes by."""

    def __init__(self):
        super().__init__()
        self.breaker = Breaker(failures_max=3, open_seconds=10, trials_max=2)
        self.now = 0.0
        self.under_way = []

    @rule(seconds=st.floats(0, 20))
    def time_goes_by(self, seconds):
        self.now += seconds

    @rule()
    def call(self):
        before = self.breaker
        allowed, self.breaker = self.breaker.allow(self.now)
        waited = before.circuit is Circuit.OPEN and self.now >= before.opened_at + before.open_seconds
        if before.circuit is Circuit.OPEN and not waited:
            assert not allowed
        if before.circuit is Circuit.CLOSED:
            assert allowed
        if allowed:
            self.under_way.append(self.breaker.generation)

    @precondition(lambda self: self.under_way)
    @rule(data=st.data())
    def succeeds(self, data):
        generation = self.end_one(data)
        before = self.breaker
        self.breaker = before.record_success(generation)
        if generation != before.generation:
            assert self.breaker.circuit is before.circuit, "a call from before says nothing about now"

    @precondition(lambda self: self.under_way)
    @rule(data=st.data())
    def fails(self, data):
        generation = self.end_one(data)
        before = self.breaker
        self.breaker = before.record_failure(self.now, generation)
        if generation != before.generation:
            assert (self.breaker.circuit, self.breaker.trials) == (before.circuit, before.trials)
        elif before.circuit is Circuit.HALF_OPEN:
            assert self.breaker.circuit is Circuit.OPEN
            assert self.breaker.opened_at == self.now

    @precondition(lambda self: self.under_way)
    @rule(data=st.data())
    def is_abandoned(self, data):
        self.breaker = self.breaker.record_neither(self.end_one(data))

    @rule()
    def is_seen_working(self):
        self.breaker = self.breaker.record_recovery()
        assert self.breaker.circuit is Circuit.CLOSED

    def end_one(self, data):
        return self.under_way.pop(data.draw(st.integers(0, len(self.under_way) - 1)))

    @invariant()
    def every_call_is_counted(self):
        seen = self.breaker.statistics
        assert seen.succeeded + seen.failed <= seen.passed
        assert seen.opened <= seen.failed

    @invariant()
    def trials_are_bounded(self):
        assert 0 <= self.breaker.trials <= self.breaker.trials_max

    @invariant()
    def closed_means_few_failures(self):
        if self.breaker.circuit is Circuit.CLOSED:
            assert self.breaker.failures_in_a_row < self.breaker.failures_max


@given(st.integers(1, 5), st.lists(st.booleans(), max_size=40))
def test_half_open_lets_no_more_through_at_a_time_than_its_trials(trials_max, calls):
    breaker = Breaker(failures_max=1, open_seconds=10, trials_max=trials_max).record_failure(0)
    under_way = 0
    for ends in calls:
        if ends and under_way:
            breaker, under_way = breaker.record_neither(), under_way - 1
        else:
            allowed, breaker = breaker.allow(10)
            assert allowed == (under_way < trials_max)
            under_way += allowed


@given(st.floats(0, 9.999), st.integers(1, 5))
def test_an_open_breaker_says_how_long_to_wait_and_then_tries(waited, trials_max):
    breaker = Breaker(failures_max=1, open_seconds=10, trials_max=trials_max).record_failure(0)
    refused, still = breaker.allow(waited)
    assert (refused, still.statistics.refused) == (False, 1)
    wait_seconds = breaker.retry_after_seconds(waited)
    assert 0 < wait_seconds <= 10
    assert breaker.allow(waited + wait_seconds + 1e-9)[0]


TestBreakerProtocol = BreakerProtocol.TestCase
TestBreakerProtocol.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)


@given(
    st.floats(1, 1000),
    st.floats(0.1, 100),
    st.lists(st.tuples(st.floats(0, 5), st.floats(0.1, 1)), min_size=1, max_size=50),
)
def test_a_bucket_never_gives_more_than_its_capacity_and_what_flowed_in(capacity, rate, wishes):
    bucket = TokenBucket.full(capacity=capacity, rate=rate, now_seconds=0)
    now = taken = 0.0
    for pause, part in wishes:
        now += pause
        wait, bucket = bucket.take(part * capacity, now)
        if wait == 0:
            taken += part * capacity
        else:
            later, _ = bucket.take(part * capacity, now + wait * (1 + 1e-9) + 1e-9)
            assert later < 1e-6
        assert taken <= (capacity + now * rate) * (1 + 1e-9)


def test_a_bucket_ignores_a_clock_that_goes_back():
    _, bucket = TokenBucket.full(capacity=10, rate=1, now_seconds=100).take(10, 100)
    assert bucket.at(50).level == 0


def test_what_never_fits_is_refused():
    with pytest.raises(ValueError, match="never"):
        TokenBucket.full(capacity=10, rate=1, now_seconds=0).take(11, 0)
