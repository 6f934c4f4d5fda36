"""A plan as a value, and what may become of its steps."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from aicompany.tasks.task import TaskKind


class PlanSource(StrEnum):
    """Who made a plan."""

    SINGLE_STEP = "single_step"
    """A plain order: one step, no model asked."""
    LIST = "list"
    """The prompt is a JSON list: a step for each entry, no model asked."""
    MODEL = "model"


class StepOutcome(StrEnum):
    """How a step ended."""

    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNDONE = "undone"


class Step(BaseModel):
    """One step of a plan."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str = Field(min_length=1, max_length=200)
    instruction: str = Field(min_length=1)
    kind: TaskKind
    speciality: str | None = Field(default=None, description="What the agent should be good at; picks the agent.")
    agent: str | None = Field(default=None, description="The agent, once assigned.")


class Phase(BaseModel):
    """Steps that may run at the same time."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=200)
    steps: tuple[Step, ...] = Field(min_length=1)


class Plan(BaseModel):
    """Phases in order."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    phases: tuple[Phase, ...] = Field(min_length=1)

    @property
    def step_count(self) -> int:
        """Steps of all phases."""
        return sum(len(phase.steps) for phase in self.phases)
