"""When there are more or fewer workers."""

from pydantic import Field

from aicompany.spec.section import Section


class ScalingSpec(Section):
    """The rule for the number of workers of each group."""

    interval_seconds: float = Field(default=5, gt=0, le=300, description="Between two looks.")
    cooldown_seconds: float = Field(
        default=30, ge=0, description="After a change, none in the other direction for so long."
    )
    queue_per_worker: int = Field(
        default=3, ge=1, description="Waiting messages per free place of a worker that call for another worker."
    )
