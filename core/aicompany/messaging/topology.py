"""Names and limits of all queues: one immutable description that every broker adapter declares from."""

from collections.abc import Iterable
from dataclasses import dataclass

from aicompany.messaging.envelope import Envelope, Purpose, Track
from aicompany.messaging.lanes import LANES, Lane

DEAD_QUEUE = "dead"
"""Where rejected messages and poison go."""

_ROLE_OF_PURPOSE: dict[Purpose, str] = {
    Purpose.PLAN_ORDER: "pm",
    Purpose.STEP_ENDED: "pm",
    Purpose.CANCEL_ORDER: "pm",
    Purpose.ORDER_DUE: "pm",
    Purpose.REOPEN_ORDER: "pm",
    Purpose.RUN_STEP: "task",
    Purpose.UNDO_STEP: "task",
    Purpose.DELIVER_RESULT: "result",
    Purpose.TELL_BURIAL: "result",
    Purpose.ANSWER_TURN: "dialog",
}


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """What a queue may hold and how often it hands the same message out."""

    length_max: int = 10_000
    """Messages a queue holds, delivered ones included, before it refuses another."""
    deliveries_max: int = 20
    """Deliveries of one message before it counts as poison and becomes a dead letter."""


@dataclass(frozen=True, slots=True)
class Topology:
    """All work queues of a company with their limits; the dead letter queue is always there besides."""

    queues: tuple[str, ...]
    limits: QueueLimits = QueueLimits()


def queue_name(role: str, lane: Lane, *, agent: str | None = None, track: Track = Track.STABLE) -> str:
    """`<role>.<lane>`, `task.<agent>.<lane>`; `.canary` appended on the canary track."""
    parts = [role, *([agent] if agent else []), lane.value, *(["canary"] if track is Track.CANARY else [])]
    return ".".join(parts)


def role_of(purpose: Purpose) -> str:
    """The role that carries a purpose out."""
    return _ROLE_OF_PURPOSE[purpose]


def queue_of(envelope: Envelope) -> str:
    """The queue an envelope belongs in."""
    role = role_of(envelope.purpose)
    agent = envelope.agent if role == "task" else None
    return queue_name(role, envelope.lane, agent=agent, track=envelope.track)


def lane_queues(role: str, *, agent: str | None = None, track: Track = Track.STABLE) -> dict[Lane, str]:
    """The four queues that one worker consumes, most urgent first."""
    return {lane: queue_name(role, lane, agent=agent, track=track) for lane in LANES}


def topology_of(agents: Iterable[str], limits: QueueLimits) -> Topology:
    """All queues of a company with these agents."""
    roles = [(role, None) for role in ("pm", "result", "dialog")] + [("task", agent) for agent in agents]
    queues = [queue for role, agent in roles for queue in lane_queues(role, agent=agent).values()]
    return Topology(queues=tuple(queues), limits=limits)
