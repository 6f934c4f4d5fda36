"""Which fault comes when: drawn from a seed, so that a run can be had again."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What is done."""

    RESET = "connections reset"
    LATENCY = "latency"
    HALF_OPEN = "half-open connections"
    REFUSE = "new connections refused"
    RESTART = "server restarted"
    STOP = "server stopped"
    SERVER_KILLED = "server killed and back"
    MEMORY_ALARM = "memory alarm"
    DISK_ALARM = "disk alarm"
    QUEUE_DELETED = "queue deleted under its consumer"
    DUPLICATE = "messages delivered twice"
    KILL = "kill -9"
    TERMINATE = "SIGTERM"
    CLOCK = "clock jumps"
    RATE_LIMITED = "model answers 429"
    OVERLOADED = "model answers 529"
    HANGING = "model hangs"
    CUT = "model cuts its answer"


class Server(StrEnum):
    """What stands behind a proxy."""

    BROKER = "broker"
    STORE = "store"
    CACHE = "cache"
    MODEL = "model"


@dataclass(frozen=True, slots=True)
class Card:
    """A fault that may be dealt."""

    kind: Kind
    target: str
    """A server, or the role of the process it hits."""
    seconds: float = 0.0
    """How long it lasts."""
    recovery_seconds: float = 0.0
    """How long after its end the target is left alone."""
    is_rare: bool = False
    """Dealt once in `RARELY_EVERY` faults instead of once in every deck."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault that was dealt."""

    at_seconds: float
    """After the start of the load."""
    kind: Kind
    target: str
    seconds: float

    def __str__(self) -> str:
        lasting = f" for {self.seconds:g} s" if self.seconds else ""
        return f"{self.at_seconds:.0f} s: {self.kind.value}, {self.target}{lasting}"


RARELY_EVERY = 250

MODEL_CARDS = (
    Card(Kind.RATE_LIMITED, Server.MODEL, 2),
    Card(Kind.OVERLOADED, Server.MODEL, 2),
    Card(Kind.HANGING, Server.MODEL, 2),
    Card(Kind.CUT, Server.MODEL, 2),
    Card(Kind.RESET, Server.MODEL),
    Card(Kind.LATENCY, Server.MODEL, 3),
    Card(Kind.HALF_OPEN, Server.MODEL, 3),
    Card(Kind.REFUSE, Server.MODEL, 1),
)
"""Faults of the model's service and the way to it."""

SERVER_CARDS = (
    *(Card(Kind.RESET, server) for server in (Server.BROKER, Server.STORE, Server.CACHE)),
    *(Card(Kind.LATENCY, server, 3) for server in (Server.BROKER, Server.STORE, Server.CACHE)),
    *(Card(Kind.HALF_OPEN, server, 6, 2) for server in (Server.BROKER, Server.STORE, Server.CACHE)),
    *(Card(Kind.REFUSE, server, 2) for server in (Server.BROKER, Server.STORE, Server.CACHE)),
    Card(Kind.RESTART, Server.BROKER, recovery_seconds=15),
    Card(Kind.STOP, Server.BROKER, 30, 15, is_rare=True),
    Card(Kind.MEMORY_ALARM, Server.BROKER, 3, 6),
    Card(Kind.DISK_ALARM, Server.BROKER, 3, 6),
    Card(Kind.QUEUE_DELETED, Server.BROKER),
    Card(Kind.DUPLICATE, Server.BROKER),
    Card(Kind.RESTART, Server.STORE, recovery_seconds=5),
    Card(Kind.SERVER_KILLED, Server.CACHE, 4, 2),
)
"""Faults of servers that a company over RabbitMQ, PostgreSQL and Redis has besides."""


def process_cards(roles: Sequence[str]) -> tuple[Card, ...]:
    """Deaths of each role's processes, sudden and asked for."""
    return tuple(Card(kind, role) for role in roles for kind in (Kind.KILL, Kind.TERMINATE))


def schedule_of(seed: int, *, seconds: float, every_seconds: float, deck: Sequence[Card]) -> tuple[Fault, ...]:
    """A fault every so many seconds, each card of the deck once before any comes again.

    A target that still has a fault, or recovers from one, is passed over: its card is dealt as soon as it is free.
    """
    chance = random.Random(seed)
    faults: list[Fault] = []
    hand: list[Card] = []
    free_at: dict[str, float] = {}
    for number in range(int(seconds // every_seconds)):
        now = (number + 1) * every_seconds
        if not any(free_at.get(card.target, 0.0) <= now for card in hand):
            hand += _shuffled(deck, chance, first=number == 0, turn=number)
        card = next((card for card in hand if free_at.get(card.target, 0.0) <= now), None)
        if card is None:
            continue
        hand.remove(card)
        free_at[card.target] = now + card.seconds + card.recovery_seconds
        faults.append(Fault(now, card.kind, card.target, card.seconds))
    return tuple(faults)


def _shuffled(deck: Sequence[Card], chance: random.Random, *, first: bool, turn: int) -> list[Card]:
    rare_too = first or turn // RARELY_EVERY > max(0, turn - len(deck)) // RARELY_EVERY
    cards = [card for card in deck if rare_too or not card.is_rare]
    chance.shuffle(cards)
    return cards
