"""The number of workers: within its limits, never fewer on unknown, no flapping."""

import math
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from aicompany.observation import Unknown
from aicompany.scaling.decide import GroupObservation, ScalingHistory, decide_workers, remember, threshold_of
from aicompany.spec.scaling import ScalingSpec
from aicompany.spec.workers import WorkerSpec

NOW = datetime(2026, 1, 1, tzinfo=UTC)
counts = st.integers(0, 100_000)
workers = st.tuples(st.integers(0, 20), st.integers(0, 20), st.integers(1, 100)).map(
    lambda t: WorkerSpec(min=t[0], max=max(1, t[0] + t[1]), concurrency=t[2])
)
observations = st.builds(
    GroupObservation,
    replicas=st.integers(0, 50),
    waiting=counts | st.just(Unknown("broker away")),
    in_flight=counts | st.just(Unknown("no heartbeat")),
)


@given(observations, workers)
def test_never_outside_the_limits_and_always_with_a_reason(seen, worker):
    decided = decide_workers(seen, ScalingHistory(), ScalingSpec(), worker, NOW)
    assert worker.min <= decided.replicas <= worker.max
    assert decided.reason.summary


@given(observations, workers)
def test_unknown_changes_nothing_within_the_limits(seen, worker):
    if isinstance(seen.waiting, Unknown) or isinstance(seen.in_flight, Unknown):
        decided = decide_workers(seen, ScalingHistory(), ScalingSpec(), worker, NOW)
        assert decided.replicas == min(max(seen.replicas, worker.min), worker.max)


@given(observations, workers)
def test_the_same_picture_gives_the_same_decision(seen, worker):
    first = decide_workers(seen, ScalingHistory(), ScalingSpec(), worker, NOW)
    assert first == decide_workers(seen, ScalingHistory(), ScalingSpec(), worker, NOW)


@given(workers, st.lists(st.tuples(counts, st.integers(0, 1000), st.floats(0, 40)), max_size=60))
def test_no_change_of_direction_within_the_cooldown(worker, trace):
    policy = ScalingSpec(cooldown_seconds=30)
    now, replicas, past = NOW, worker.min, ScalingHistory()
    last = None
    for waiting, in_flight, pause in trace:
        now += timedelta(seconds=pause)
        seen = GroupObservation(replicas, waiting, in_flight)
        decided = decide_workers(seen, past, policy, worker, now)
        past = remember(past, seen, decided, policy)
        if decided.replicas != replicas:
            direction = decided.replicas > replicas
            if last is not None and last[0] != direction:
                assert (now - last[1]).total_seconds() >= 30
            last = (direction, now)
        replicas = decided.replicas


def test_a_long_queue_calls_for_more_and_an_empty_one_for_fewer():
    worker, policy = WorkerSpec(min=1, max=5, concurrency=10), ScalingSpec(queue_per_worker=3)
    assert decide_workers(GroupObservation(1, 100, 10), ScalingHistory(), policy, worker, NOW).replicas == 4
    assert decide_workers(GroupObservation(4, 0, 0), ScalingHistory(), policy, worker, NOW).replicas == 1
    assert decide_workers(GroupObservation(4, 0, 35), ScalingHistory(), policy, worker, NOW).replicas == 4


@given(st.integers(0, 50), counts, counts, workers)
def test_what_is_at_work_keeps_its_places(replicas, waiting, in_flight, worker):
    seen = GroupObservation(min(max(replicas, worker.min), worker.max), waiting, in_flight)
    decided = decide_workers(seen, ScalingHistory(), ScalingSpec(), worker, NOW)
    assert decided.replicas >= min(math.ceil(in_flight / worker.concurrency), worker.max)


@given(st.integers(1, 20), counts, counts, st.integers(0, 1000), workers)
def test_more_that_waits_never_means_fewer_workers(replicas, waiting, more, in_flight, worker):
    def decided(count):
        seen = GroupObservation(replicas, count, in_flight)
        return decide_workers(seen, ScalingHistory(), ScalingSpec(), worker, NOW).replicas

    assert decided(waiting + more) >= decided(waiting)


@given(observations, workers)
def test_a_decision_that_was_carried_out_is_not_changed_by_looking_again(seen, worker):
    first = decide_workers(seen, ScalingHistory(), ScalingSpec(), worker, NOW)
    past = remember(ScalingHistory(), seen, first, ScalingSpec())
    again = GroupObservation(first.replicas, seen.waiting, seen.in_flight)
    settled = decide_workers(again, past, ScalingSpec(cooldown_seconds=0), worker, NOW)
    third = GroupObservation(settled.replicas, seen.waiting, seen.in_flight)
    assert decide_workers(third, past, ScalingSpec(cooldown_seconds=0), worker, NOW).replicas == settled.replicas


def test_a_change_of_direction_waits_for_the_cooldown_and_says_how_long():
    worker, policy = WorkerSpec(min=1, max=5, concurrency=10), ScalingSpec(cooldown_seconds=30)
    grown = ScalingHistory(changed_at=NOW, last_direction=1)
    idle = GroupObservation(4, 0, 0)
    early = decide_workers(idle, grown, policy, worker, NOW + timedelta(seconds=10))
    assert (early.replicas, "20 s left" in early.reason.summary) == (4, True)
    assert decide_workers(idle, grown, policy, worker, NOW + timedelta(seconds=30)).replicas == 1
    busy = GroupObservation(4, 10_000, 40)
    assert decide_workers(busy, grown, policy, worker, NOW).replicas == 5, "more of the same need not wait"


@given(
    workers,
    st.integers(1, 10),
    st.integers(0, 10),
    st.lists(st.tuples(counts, st.integers(0, 1000), st.floats(0, 200)), max_size=60),
)
def test_the_threshold_stays_within_its_limits_and_moves_by_one(worker, start, room, trace):
    policy = ScalingSpec(queue_per_worker=start, queue_per_worker_max=start + room, cooldown_seconds=30)
    now, replicas, past = NOW, worker.min, ScalingHistory()
    for waiting, in_flight, pause in trace:
        now += timedelta(seconds=pause)
        seen = GroupObservation(replicas, waiting, in_flight)
        decided = decide_workers(seen, past, policy, worker, now)
        before, past = threshold_of(past, policy), remember(past, seen, decided, policy)
        assert start <= threshold_of(past, policy) <= start + room
        assert abs(threshold_of(past, policy) - before) <= 1
        replicas = decided.replicas


def look(past, replicas, waiting, seconds, worker, policy):
    seen = GroupObservation(replicas, waiting, 0)
    decided = decide_workers(seen, past, policy, worker, NOW + timedelta(seconds=seconds))
    return decided, remember(past, seen, decided, policy)


def test_a_worker_that_was_not_needed_raises_the_threshold_to_eight_and_a_long_queue_lowers_it_to_three():
    policy, worker = ScalingSpec(cooldown_seconds=30), WorkerSpec(min=1, max=2, concurrency=1)
    past, seconds = ScalingHistory(), 0
    for _ in range(10):
        up, past = look(past, 1, 20, seconds, worker, policy)
        assert up.replicas == 2
        down, past = look(past, 2, 0, seconds + 40, worker, policy)
        assert down.replicas == 1
        seconds += 100
    assert threshold_of(past, policy) == 8
    decided, past = look(past, 1, 7, seconds, worker, policy)
    assert decided.replicas == 1, "what called for a worker once does not any more"
    assert "threshold 8" in decided.reason.summary
    for _ in range(30):
        _, past = look(past, 2, 100, seconds, worker, policy)
    assert threshold_of(past, policy) == 3
