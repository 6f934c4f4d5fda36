"""What has been delivered and not settled, over all generations of connections.

A delivery belongs to the channel it came on; when that is gone, the broker delivers the message again while whoever
has it may still work on it. Such a message is *adopted*: its second delivery takes the place of the first, and the
acknowledgement that comes later goes to the second. When it was acknowledged while there was no connection, the
second delivery is acknowledged unseen.
"""

from collections import OrderedDict, defaultdict, deque
from collections.abc import Hashable
from dataclasses import dataclass
from enum import Enum, auto
from itertools import count
from typing import Generic, TypeVar

ChannelT = TypeVar("ChannelT", bound=Hashable)
Key = tuple[str, str]
"""Queue and message id."""

_DONE_MAX = 10_000
"""Acknowledged without a connection and remembered; beyond that, the inbox knows."""


class Arrival(Enum):
    """What a delivery turned out to be."""

    NEW = auto()
    """To be handed over."""
    ADOPTED = auto()
    """Its message is in hands already; it took the place of a delivery whose channel is gone."""
    DONE = auto()
    """It was acknowledged before; acknowledge it again, now that somebody listens."""


@dataclass(slots=True)
class Held(Generic[ChannelT]):
    """One message in hands. `channel` is `None` while there is none to settle it on."""

    key: Key
    channel: ChannelT | None
    wire_tag: int


class Hands(Generic[ChannelT]):
    """All of one process. Pure bookkeeping: who calls it does what it says."""

    def __init__(self) -> None:
        self._held: dict[int, Held[ChannelT]] = {}
        self._orphans: dict[Key, deque[int]] = defaultdict(deque)
        self._done: OrderedDict[Key, int] = OrderedDict()
        self._tags = count(1)

    def __len__(self) -> int:
        return len(self._held)

    @property
    def orphans(self) -> int:
        """Messages in hands whose channel is gone."""
        return sum(len(tags) for tags in self._orphans.values())

    def arrive(self, key: Key, channel: ChannelT, wire_tag: int, *, redelivered: bool) -> tuple[Arrival, int]:
        """A delivery came: what it is, and the tag by which it is known here (0 for `DONE`)."""
        if redelivered:
            if self._forget_done(key):
                return Arrival.DONE, 0
            if tags := self._orphans.get(key):
                tag = tags.popleft()
                if not tags:
                    del self._orphans[key]
                held = self._held[tag]
                held.channel, held.wire_tag = channel, wire_tag
                return Arrival.ADOPTED, tag
        tag = next(self._tags)
        self._held[tag] = Held(key, channel, wire_tag)
        return Arrival.NEW, tag

    def settle(self, tag: int, *, acknowledged: bool) -> Held[ChannelT] | None:
        """The message leaves the hands; `None` when it is not in them. With a channel: settle it there."""
        held = self._held.pop(tag, None)
        if held is None or held.channel is not None:
            return held
        tags = self._orphans[held.key]
        tags.remove(tag)
        if not tags:
            del self._orphans[held.key]
        if acknowledged:
            self._done[held.key] = self._done.pop(held.key, 0) + 1
            if len(self._done) > _DONE_MAX:
                self._done.popitem(last=False)
        return held

    def holds(self, tag: int) -> bool:
        """Whether the message is in hands at all."""
        return tag in self._held

    def is_current(self, tag: int) -> bool:
        """Whether the message is in hands by a channel that is still there."""
        held = self._held.get(tag)
        return held is not None and held.channel is not None

    def lose(self, channel: ChannelT) -> int:
        """The channel is gone; how many messages wait for a second delivery now."""
        lost = 0
        for tag, held in self._held.items():
            if held.channel is channel:
                held.channel = None
                self._orphans[held.key].append(tag)
                lost += 1
        return lost

    def _forget_done(self, key: Key) -> bool:
        times = self._done.get(key, 0)
        if times == 0:
            return False
        if times == 1:
            del self._done[key]
        else:
            self._done[key] = times - 1
        return True
