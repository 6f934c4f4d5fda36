"""How many workers of each role there are."""

from pydantic import Field, model_validator

from aicompany.spec.section import Section


class WorkerSpec(Section):
    """Workers of one role."""

    min: int = Field(default=1, ge=0, le=100, description="Fewest workers.")
    max: int = Field(default=5, ge=1, le=100, description="Most workers.")
    concurrency: int = Field(default=16, ge=1, le=1000, description="Messages one worker works on at the same time.")

    @model_validator(mode="after")
    def _ordered(self) -> "WorkerSpec":
        if self.min > self.max:
            raise ValueError(f"min ({self.min}) is more than max ({self.max}); lower min or raise max")
        return self


class WorkersSpec(Section):
    """All roles. The task role's numbers hold for every agent that sets none of its own."""

    pm: WorkerSpec = Field(default=WorkerSpec(max=2, concurrency=64), description="Splits orders into phases.")
    task: WorkerSpec = Field(default=WorkerSpec(concurrency=64), description="Carries steps out.")
    result: WorkerSpec = Field(default=WorkerSpec(max=2, concurrency=64), description="Keeps and delivers results.")
    dialog: WorkerSpec = Field(default=WorkerSpec(max=2), description="Talks.")
    drain_seconds: float = Field(
        default=30, ge=0, le=3600, description="How long a stopping worker may finish what it works on."
    )
    low_share: int = Field(
        default=10, ge=2, le=1000, description="Every so many messages, the lowest waiting lane goes first."
    )
