"""When there are more or fewer workers."""

from pydantic import Field, model_validator

from aicompany.spec.section import Section


class ScalingSpec(Section):
    """The rule for the number of workers of each group."""

    interval_seconds: float = Field(default=5, gt=0, le=300, description="Between two looks.")
    cooldown_seconds: float = Field(
        default=30, ge=0, description="After a change, none in the other direction for so long."
    )
    queue_per_worker: int = Field(
        default=3,
        ge=1,
        description="Waiting messages per place of a worker that call for another worker; the threshold begins here.",
    )
    queue_per_worker_max: int = Field(
        default=8,
        ge=1,
        description="The threshold rises up to this when workers were added that turned out not to be needed.",
    )

    @model_validator(mode="after")
    def _ordered(self) -> "ScalingSpec":
        # Who sets only the beginning, above the other's default, wants a fixed threshold.
        if self.queue_per_worker > self.queue_per_worker_max and "queue_per_worker_max" in self.model_fields_set:
            raise ValueError(
                f"queuePerWorker ({self.queue_per_worker}) is more than queuePerWorkerMax "
                f"({self.queue_per_worker_max}); lower the one or raise the other"
            )
        return self
