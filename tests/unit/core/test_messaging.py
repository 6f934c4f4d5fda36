"""Envelopes, queue names and the order of lanes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aicompany.errors import MessageUnreadable
from aicompany.ids import MessageId, TaskId, TraceId, order_id_of, place_of, step_id_of, task_id_of_key
from aicompany.messaging.envelope import Envelope, Purpose, Track
from aicompany.messaging.lane_scheduler import LaneScheduler
from aicompany.messaging.lanes import LANES, Lane
from aicompany.messaging.topology import QueueLimits, queue_of, topology_of

envelopes = st.builds(
    Envelope,
    id=st.text("abc:.", min_size=1).map(MessageId),
    purpose=st.sampled_from(Purpose),
    task_id=st.text(min_size=1),
    lane=st.sampled_from(Lane),
    agent=st.sampled_from(["writer", "qa"]),
    track=st.sampled_from(Track),
    attempt=st.integers(1, 9),
    run=st.integers(1, 9),
    trace_id=st.just(TraceId("0" * 32)),
    details=st.dictionaries(st.text(), st.integers()),
)


@given(envelopes)
def test_an_envelope_survives_the_wire(envelope):
    assert Envelope.from_json(envelope.to_json()) == envelope


@pytest.mark.parametrize("body", [b"", b"{}", b"\xff\xfe", b"[]", b'{"id": 1}'])
def test_what_is_no_envelope_is_unreadable_with_the_place(body):
    with pytest.raises(MessageUnreadable, match="cannot be read: "):
        Envelope.from_json(body)


@given(envelopes, st.lists(st.booleans(), max_size=5))
def test_every_copy_has_an_id_of_its_own_and_the_same_stem(envelope, ways):
    ids = {envelope.id}
    copy = envelope
    for retried in ways:
        copy = copy.next_attempt() if retried else copy.postpone()
        ids.add(copy.id)
    assert len(ids) == len(ways) + 1
    assert copy.stem == envelope.stem
    assert copy.attempt == envelope.attempt + sum(ways)


@given(envelopes, st.sampled_from([("writer", "qa")]))
def test_every_envelope_has_a_queue_in_the_topology_of_its_track(envelope, agents):
    queue = queue_of(envelope)
    known = topology_of(agents, QueueLimits()).queues
    assert queue.removesuffix(".canary") in known
    assert queue.endswith(".canary") == (envelope.track is Track.CANARY)


@given(st.integers(2, 20), st.lists(st.sets(st.sampled_from(LANES), min_size=1), max_size=100))
def test_a_waiting_lane_is_always_picked_and_critical_waits_one_pick_at_most(low_share, waits):
    scheduler = LaneScheduler(low_share=low_share)
    critical_passed_over = 0
    for waiting in waits:
        lane, scheduler = scheduler.pick(tuple(waiting))
        assert lane in waiting
        critical_passed_over = critical_passed_over + 1 if Lane.CRITICAL in waiting and lane is not Lane.CRITICAL else 0
        assert critical_passed_over <= 1


@given(st.integers(2, 20), st.integers(1, 10))
def test_low_gets_its_share_while_everything_waits(low_share, rounds):
    scheduler = LaneScheduler(low_share=low_share)
    picked = []
    for _ in range(low_share * rounds):
        lane, scheduler = scheduler.pick(LANES)
        picked.append(lane)
    assert picked.count(Lane.LOW) == rounds
    assert picked.count(Lane.CRITICAL) == (low_share - 1) * rounds


def test_ids_of_steps_tell_their_order_and_place():
    step = step_id_of(TaskId("abc"), 2, 3)
    assert (order_id_of(step), place_of(step)) == ("abc", (2, 3))


@given(st.text(), st.text(), st.text())
def test_the_same_key_gives_the_same_id_for_one_requester_only(requester, other, key):
    task = task_id_of_key(requester, key)
    assert task == task_id_of_key(requester, key)
    assert len(task) == 26
    assert other == requester or task != task_id_of_key(other, key)
