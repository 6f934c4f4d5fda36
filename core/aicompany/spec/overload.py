"""What is left out while more is asked than can be done."""

from pydantic import Field

from aicompany.spec.section import Section


class OverloadSpec(Section):
    """When the company helps itself: low lane paused, kept answers preferred, smaller model, low orders refused."""

    interval_seconds: float = Field(default=5, gt=0, le=300, description="Between two looks.")
    waiting_per_place: float = Field(
        default=100,
        gt=0,
        description="Waiting messages above the low lane, per place of the workers, that count as overload.",
    )
    refused_share: float = Field(
        default=0.5, gt=0, le=1, description="Share of model calls that the service refused, counting as overload."
    )
    leave_share: float = Field(
        default=0.5,
        ge=0,
        lt=1,
        description="A step is taken back when everything is at or below this share of what counts as overload.",
    )
    enter_looks: int = Field(default=3, ge=1, le=1000, description="Looks in a row before a further step.")
    leave_looks: int = Field(default=6, ge=1, le=1000, description="Looks in a row before a step is taken back.")
    smaller_model: str | None = Field(
        default=None, min_length=1, description="The model of that step; without one the step changes nothing."
    )
