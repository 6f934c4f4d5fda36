"""Which lane an order gets: what its requester asked for, else what its words, kind and age say."""

import re

from aicompany.messaging.lanes import LANES, Lane
from aicompany.tasks.task import TaskKind

_WORDS: tuple[tuple[Lane, str], ...] = (
    (
        Lane.CRITICAL,
        r"critical|emergency|outage|production (?:is )?down|data loss|security breach|notfall|ausfall|kritisch",
    ),
    (Lane.HIGH, r"urgent(?:ly)?|asap|as soon as possible|immediately|right away|dringend|sofort|eilig|eilt"),
    (
        Lane.LOW,
        r"no rush|no hurry|whenever|when you have time|low priority|some ?day|irgendwann|keine eile|nicht eilig|"
        r"hat zeit",
    ),
)
_PATTERNS = tuple((lane, re.compile(rf"\b(?:{words})\b", re.IGNORECASE)) for lane, words in _WORDS)
_NEGATED = re.compile(r"\b(?:not|nicht|isn't|is not|no)\s+(?:so\s+|very\s+)?$", re.IGNORECASE)

AGES_A_LANE_SECONDS = 3600.0
"""An order moves up one lane for each hour it has waited already, but never to critical by age alone."""


def analyse_priority(
    prompt: str, kind: TaskKind, *, age_seconds: float = 0.0, requested: Lane | None = None
) -> tuple[Lane, str]:
    """The lane and the sentence that says why. What was asked for explicitly wins."""
    if requested is not None:
        return requested, "the requester asked for it"
    lane, reason = _lane_of_words(prompt)
    if kind is TaskKind.OPERATIONS and lane is Lane.HIGH:
        lane, reason = Lane.CRITICAL, f"{reason}, and it is about operations"
    return raised_by_age(lane, reason, age_seconds)


def _lane_of_words(prompt: str) -> tuple[Lane, str]:
    for lane, pattern in _PATTERNS:
        for found in pattern.finditer(prompt):
            if not _NEGATED.search(prompt[: found.start()]):
                return lane, f"it says “{found.group().lower()}”"
    return Lane.NORMAL, "nothing says otherwise"


def raised_by_age(lane: Lane, reason: str, age_seconds: float) -> tuple[Lane, str]:
    """The lane of an order that has waited so long, and why; not for a lane that its requester asked for."""
    steps = int(max(0.0, age_seconds) // AGES_A_LANE_SECONDS)
    raised = LANES[max(Lane.HIGH.rank, lane.rank - steps)] if lane.rank > Lane.HIGH.rank else lane
    if raised is lane:
        return lane, reason
    return raised, f"{reason}, and it has waited {steps} h"
