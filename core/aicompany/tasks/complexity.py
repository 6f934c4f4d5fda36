"""Complexity of a task: a score that planning and scaling look at.

1.0 to begin with; a prompt of more than 500 characters (its files included) +0.5; a code task +1.0; more than 60 s
of work +1.0. The complexity of a worker's load is the mean of its last 10 tasks.
"""

from collections.abc import Sequence

from aicompany.tasks.task import TaskKind

LONG_PROMPT_CHARACTERS = 500
LONG_WORK_SECONDS = 60.0
MEAN_OF_LAST = 10


def complexity_of(*, characters: int, kind: TaskKind, work_seconds: float | None = None) -> float:
    """The score of one task; `work_seconds` is what it took, or is expected to take, `None` when nobody knows."""
    score = 1.0
    if characters > LONG_PROMPT_CHARACTERS:
        score += 0.5
    if kind is TaskKind.CODE:
        score += 1.0
    if work_seconds is not None and work_seconds > LONG_WORK_SECONDS:
        score += 1.0
    return score


def mean_complexity(scores: Sequence[float]) -> float:
    """The mean of the last 10 scores; 1.0 when there is none."""
    last = scores[-MEAN_OF_LAST:]
    return sum(last) / len(last) if last else 1.0
