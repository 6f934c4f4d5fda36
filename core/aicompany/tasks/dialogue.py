"""What the model is told of a step: its instruction, the material, and what has passed so far."""

from collections.abc import Sequence
from dataclasses import dataclass

from aicompany.ports.model import ModelMessage, TextBlock
from aicompany.tasks.events import ModelAnswered, ToolsUsed
from aicompany.tasks.state import Task
from aicompany.tasks.task import Attachment


@dataclass(frozen=True, slots=True)
class EarlierResult:
    """What a step of an earlier phase brought."""

    title: str
    text: str


def step_messages(
    step: Task, *, order_prompt: str, attachments: Sequence[Attachment], earlier: Sequence[EarlierResult]
) -> tuple[ModelMessage, ...]:
    """The messages to ask with: the material and the instruction, then all answers and tool results of this run."""
    parts = []
    if order_prompt != step.submitted.prompt:
        parts.append(f"<order>\n{order_prompt}\n</order>")
    parts += [f'<file name="{file.name}">\n{file.content}\n</file>' for file in attachments]
    parts += [f'<earlier_result title="{result.title}">\n{result.text}\n</earlier_result>' for result in earlier]
    parts.append(step.submitted.prompt if not parts else f"<instruction>\n{step.submitted.prompt}\n</instruction>")
    opening = ModelMessage(role="user", content=tuple(TextBlock(text=part) for part in parts))
    return (opening, *_exchange(step.answers, step.tools_used))


def _exchange(answers: Sequence[ModelAnswered], tools_used: Sequence[ToolsUsed]) -> list[ModelMessage]:
    results = {used.call: used.results for used in tools_used}
    messages: list[ModelMessage] = []
    for answered in answers:
        messages.append(ModelMessage(role="assistant", content=answered.answer.content))
        if answered.call in results:
            messages.append(ModelMessage(role="user", content=results[answered.call]))
    return messages
