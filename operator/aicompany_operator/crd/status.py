"""The status of a company: what the operator says of it."""

from enum import StrEnum

from pydantic import Field
from pydantic.config import JsonDict

from aicompany.spec.section import Section

_TIME: JsonDict = {"format": "date-time"}


class Holds(StrEnum):
    """Whether a condition holds."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class ConditionStatus(Section):
    """One statement about the company."""

    type: str = Field(
        max_length=316,
        description="What it is about: `Ready`, `Progressing`, `Degraded`, `Paused`, `Hibernated` or "
        "`CredentialsAvailable`.",
    )
    status: Holds = Field(description="Whether it holds: `True`, `False` or `Unknown`.")
    reason: str = Field(description="Why, in one word for scripts.")
    message: str = Field(description="Why, in a sentence for people.")
    observed_generation: int = Field(description="Generation of the specification it was said of.")
    last_transition_time: str = Field(json_schema_extra=_TIME, description="When `status` changed last, RFC 3339.")


class LastDecision(Section):
    """What was last decided about a group's size."""

    at: str = Field(json_schema_extra=_TIME, description="When, RFC 3339.")
    what: str = Field(description="What: `hold`, or from how many to how many.")
    why: str = Field(description="The whole reason.")


class GroupStatus(Section):
    """Workers that are alike, or the gateway."""

    name: str = Field(description="`pm`, `task.<agent>`, `result`, `dialog` or `gateway`.")
    role: str = Field(description="Role.")
    agent: str | None = Field(default=None, description="Agent, for the task role.")
    desired: int = Field(description="Pods there should be.")
    ready: int = Field(description="Pods that are ready.")
    queued: int | None = Field(default=None, description="Messages that wait for it; absent when unknown.")
    last_decision: LastDecision | None = Field(default=None, description="What was last decided about its size.")


class RemedyStatus(Section):
    """A repair that was tried."""

    at: str = Field(json_schema_extra=_TIME, description="When, RFC 3339.")
    fault: str = Field(description="What was wrong.")
    action: str = Field(description="What was done.")
    outcome: str = Field(description="What came of it.")


class CompanyStatus(Section):
    """What the operator says of a company."""

    observed_generation: int | None = Field(default=None, description="Generation that was last looked at.")
    conditions: tuple[ConditionStatus, ...] = Field(default=(), description="Statements, one of each type.")
    groups: tuple[GroupStatus, ...] = Field(default=(), description="Groups of workers, and the gateway.")
    workers: str | None = Field(default=None, description="Ready and desired pods, as `5/6`.")
    queued: str | None = Field(default=None, description="Messages that wait; `?` when unknown.")
    track: str | None = Field(default=None, description="Track that takes new work.")
    image: str | None = Field(default=None, description="Image of gateway and workers.")
    gateway: str | None = Field(default=None, description="Address of the gateway inside the cluster.")
    broker: str | None = Field(default=None, description="Vhost on the operator's RabbitMQ, or `external`.")
    store: str | None = Field(default=None, description="Database on the operator's PostgreSQL, or `external`.")
    remedies: tuple[RemedyStatus, ...] = Field(default=(), max_length=10, description="The last ten repairs.")
