"""A failure as a value: what stands in events when something did not work."""

from pydantic import BaseModel, ConfigDict, Field


class Failure(BaseModel):
    """Why something did not work."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str = Field(description="Stable code of the error tree.")
    message: str = Field(description="A sentence for a person, without secrets.")
    permanent: bool = Field(description="Whether trying again would give the same.")
