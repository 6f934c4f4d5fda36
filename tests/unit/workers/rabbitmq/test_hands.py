"""Bookkeeping of deliveries over connections, and the sizes of retry buckets, hold for every sequence of events."""

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from aicompany_workers.broker.rabbitmq.declarations import BrokerUnusable, bucket_of, check_version
from aicompany_workers.broker.rabbitmq.hands import Arrival, Hands


class Process(RuleBasedStateMachine):
    """One consumer over connections that break, beside a broker that redelivers what was not acknowledged.

    Every message is handed over once for each time it was given back, and never while it is in hands.
    """

    def __init__(self):
        super().__init__()
        self.hands = Hands()
        self.channel = 0
        self.wire_tags = 0
        self.queue = []  # (message, redelivered)
        self.on_wire = {}  # wire tag -> message, on the present channel
        self.in_hands = {}  # message -> tag
        self.acknowledged = set()
        self.messages = 0

    @rule()
    def publish(self):
        self.messages += 1
        self.queue.append((f"m{self.messages}", False))

    @rule()
    def deliver(self):
        if not self.queue:
            return
        message, redelivered = self.queue.pop(0)
        self.wire_tags += 1
        self.on_wire[self.wire_tags] = message
        arrival, tag = self.hands.arrive(("q", message), self.channel, self.wire_tags, redelivered=redelivered)
        if arrival is Arrival.DONE:
            assert message in self.acknowledged
            del self.on_wire[self.wire_tags]
        elif arrival is Arrival.ADOPTED:
            assert self.in_hands[message] == tag
        else:
            assert message not in self.in_hands, "handed over while it is in hands"
            assert message not in self.acknowledged, "handed over after it was acknowledged"
            self.in_hands[message] = tag

    @rule(data=st.data(), acknowledged=st.booleans())
    def settle(self, data, acknowledged):
        if not self.in_hands:
            return
        message = data.draw(st.sampled_from(sorted(self.in_hands)))
        held = self.hands.settle(self.in_hands.pop(message), acknowledged=acknowledged)
        if acknowledged:
            self.acknowledged.add(message)
        if held.channel is not None:
            assert held.channel == self.channel, "a settlement crosses no reconnect"
            assert self.on_wire.pop(held.wire_tag) == message
            if not acknowledged:
                self.queue.insert(0, (message, True))

    @rule()
    def lose_connection(self):
        self.hands.lose(self.channel)
        self.channel += 1
        self.queue = [(message, True) for message in self.on_wire.values()] + self.queue
        self.on_wire = {}

    @invariant()
    def nothing_is_forgotten(self):
        assert len(self.hands) == len(self.in_hands)
        somewhere = {message for message, _ in self.queue} | set(self.on_wire.values())
        for number in range(1, self.messages + 1):
            assert f"m{number}" in somewhere | self.acknowledged


Process.TestCase.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
TestHands = Process.TestCase


@given(st.floats(min_value=0.001, max_value=3_000_000))
def test_a_bucket_holds_long_enough_and_not_much_longer(seconds):
    milliseconds = bucket_of(seconds)
    assert milliseconds >= seconds * 1000 - 1e-6
    assert milliseconds <= max(51, seconds * 1000 * 1.27 + 1)


def test_few_buckets_serve_all_delays():
    assert len({bucket_of(n / 100) for n in range(1, 1_000_000, 7)}) <= 60


@pytest.mark.parametrize("version", ["3.10.8", "3.13.7", "4.1.0", "4.3.0-rc.1"])
def test_versions_that_have_what_is_needed(version):
    check_version({"product": "RabbitMQ", "version": version})


def test_a_version_that_lacks_something_is_told():
    with pytest.raises(BrokerUnusable, match=r"RabbitMQ 3\.8\.9.*use 3\.10 or newer"):
        check_version({"product": "RabbitMQ", "version": "3.8.9"})
