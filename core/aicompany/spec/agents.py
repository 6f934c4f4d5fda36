"""Named specialists of the task role."""

from pydantic import Field

from aicompany.spec.section import Section
from aicompany.spec.workers import WorkerSpec

AGENT_NAME = r"^[a-z]([a-z0-9-]{0,28}[a-z0-9])?$"


class AgentSpec(Section):
    """One specialist, with queues and workers of its own."""

    name: str = Field(pattern=AGENT_NAME, description="Name: lower case letters, digits and dashes, at most 30.")
    specialities: tuple[str, ...] = Field(
        default=(), description="Words for what it is good at; steps are assigned by them."
    )
    instructions: str = Field(default="", max_length=20_000, description="System prompt of this agent.")
    model: str | None = Field(default=None, description="Model of this agent, instead of `model.name`.")
    workers: WorkerSpec | None = Field(default=None, description="Workers of this agent, instead of `workers.task`.")
    fallback: bool = Field(default=False, description="Takes every step that fits no other agent; exactly one does.")


DEFAULT_AGENTS: tuple[AgentSpec, ...] = (
    AgentSpec(
        name="generalist",
        fallback=True,
        instructions="You carry out one step of a larger order, carefully and completely.",
    ),
)
