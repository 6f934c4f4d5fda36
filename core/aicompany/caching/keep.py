"""Which answers are worth keeping."""

from aicompany.ports.model import ModelAnswer, StopReason
from aicompany.usage import NO_USAGE

_WHOLE = frozenset({StopReason.END_TURN, StopReason.STOP_SEQUENCE})


def may_be_kept(answer: ModelAnswer) -> bool:
    """Whether somebody who asks the same may get the same: whole answers only, and no refusals or empty ones."""
    if answer.cached:
        return False
    if answer.stop_reason in _WHOLE:
        return bool(answer.text.strip())
    return answer.stop_reason is StopReason.TOOL_USE and bool(answer.tool_uses)


def as_cached(answer: ModelAnswer) -> ModelAnswer:
    """The answer as one that was given before: marked, and nothing paid for it."""
    return answer.model_copy(update={"cached": True, "usage": NO_USAGE, "request_id": None})
