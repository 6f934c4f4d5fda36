"""What an answer of the model is worth: a result, a wish for tools, or nothing."""

from dataclasses import dataclass

from aicompany.errors import AnswerCut, AnswerInvalid, ContextExceeded, ModelRefused, PermanentError
from aicompany.ports.model import ModelAnswer, StopReason, ToolUseBlock


@dataclass(frozen=True, slots=True)
class Finished:
    """The text is the result."""

    text: str


@dataclass(frozen=True, slots=True)
class CallTools:
    """The model wants these tools run and then to go on."""

    uses: tuple[ToolUseBlock, ...]


@dataclass(frozen=True, slots=True)
class GoOn:
    """The model paused; asked again with its answer appended, it goes on."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """Never a result."""

    error: PermanentError


Verdict = Finished | CallTools | GoOn | Rejected


def judge_answer(answer: ModelAnswer) -> Verdict:
    """The verdict, for every stop reason."""
    match answer.stop_reason:
        case StopReason.END_TURN | StopReason.STOP_SEQUENCE:
            if answer.text.strip():
                return Finished(answer.text)
            return Rejected(AnswerInvalid("the model answered without a word; word the order differently"))
        case StopReason.TOOL_USE:
            if answer.tool_uses:
                return CallTools(answer.tool_uses)
            return Rejected(AnswerInvalid("the model stopped for a tool but named none"))
        case StopReason.PAUSE_TURN:
            return GoOn()
        case StopReason.MAX_TOKENS:
            return Rejected(
                AnswerCut(
                    f"the answer was cut after {answer.usage.output_tokens} tokens; "
                    "raise spec.model.maxTokens or ask for less"
                )
            )
        case StopReason.REFUSAL:
            return Rejected(ModelRefused("the model declined to answer; word the order differently"))
        case StopReason.CONTEXT_WINDOW_EXCEEDED:
            return Rejected(ContextExceeded("the order and its files do not fit into the model; attach less"))
