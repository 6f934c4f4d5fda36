"""The model: one question, one answer, and what it cost.

The conversation's shape is that of the Anthropic Messages API, which other providers can be mapped to.
"""

from enum import StrEnum
from typing import Annotated, Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from aicompany.usage import Usage


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TextBlock(_Value):
    """Words."""

    type: Literal["text"] = "text"
    text: str


class ToolUseBlock(_Value):
    """The model asks for a tool."""

    type: Literal["tool_use"] = "tool_use"
    id: str
    name: str
    input: dict[str, Any]


class ToolResultBlock(_Value):
    """What the tool said."""

    type: Literal["tool_result"] = "tool_result"
    tool_use_id: str
    content: str
    is_error: bool = False


class OpaqueBlock(_Value):
    """A block of a kind we only hand back as it came (thinking with its signature, server tools)."""

    type: Literal["opaque"] = "opaque"
    data: dict[str, Any]


Block = Annotated[TextBlock | ToolUseBlock | ToolResultBlock | OpaqueBlock, Field(discriminator="type")]


class ModelMessage(_Value):
    """One side's words."""

    role: Literal["user", "assistant"]
    content: tuple[Block, ...]


class ToolSpec(_Value):
    """A tool the model may ask for."""

    name: str
    description: str
    input_schema: dict[str, Any]


class StopReason(StrEnum):
    """Why the model stopped."""

    END_TURN = "end_turn"
    MAX_TOKENS = "max_tokens"
    STOP_SEQUENCE = "stop_sequence"
    TOOL_USE = "tool_use"
    PAUSE_TURN = "pause_turn"
    REFUSAL = "refusal"
    CONTEXT_WINDOW_EXCEEDED = "model_context_window_exceeded"


class ModelRequest(_Value):
    """One question."""

    model: str
    system: str = ""
    messages: tuple[ModelMessage, ...]
    tools: tuple[ToolSpec, ...] = ()
    max_tokens: int = Field(ge=1)
    output_schema: dict[str, Any] | None = None
    """JSON schema that the answer's text must follow."""
    timeout_seconds: float = Field(gt=0)
    anew: bool = False
    """Whether an answer that was given before will not do: what came of it may have failed."""


class ModelAnswer(_Value):
    """One answer. Not yet a result: `tasks.answer.judge_answer` says what it is worth."""

    content: tuple[Block, ...]
    stop_reason: StopReason
    usage: Usage
    model: str
    """The model that answered, as it calls itself."""
    request_id: str | None = None
    cached: bool = False
    """Given before to the same question; nothing was paid for it again."""

    @property
    def text(self) -> str:
        """All words, joined."""
        return "".join(block.text for block in self.content if isinstance(block, TextBlock))

    @property
    def tool_uses(self) -> tuple[ToolUseBlock, ...]:
        """The tools asked for."""
        return tuple(block for block in self.content if isinstance(block, ToolUseBlock))


class Model(Protocol):
    """A model behind an adapter. Retries are the caller's; an adapter makes one call a question."""

    @property
    def is_offline(self) -> bool:
        """Whether answers are made here without any model service."""

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        """Ask once.

        Raises `ModelRateLimited`, `ModelOverloaded`, `ModelUnavailable` (each with the service's own
        `retry_after_seconds` when it gave one), `CredentialsInvalid`, `ModelRequestInvalid`, `ContextExceeded`.
        A refusal and a cut answer are answers: their stop reason says so.
        """

    async def close(self) -> None:
        """Let go of connections. Idempotent."""
