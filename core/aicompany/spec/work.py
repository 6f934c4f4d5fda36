"""Orders and plans: what is accepted and how it is carried out."""

from pydantic import Field

from aicompany.spec.section import Section


class OrdersSpec(Section):
    """What the gateway accepts."""

    prompt_bytes_max: int = Field(default=262_144, ge=1, le=8_388_608, description="Largest prompt, bytes of UTF-8.")
    attachment_bytes_max: int = Field(
        default=1_048_576, ge=1, le=8_388_608, description="All attached files of an order together, bytes."
    )
    attachments_max: int = Field(default=20, ge=0, le=1000, description="Most files attached to an order.")
    deadline_seconds: float = Field(
        default=86_400,
        gt=0,
        description="An order that is not done by then is cancelled; an order may name a shorter one.",
    )


class PlanningSpec(Section):
    """How the PM splits orders."""

    phases_max: int = Field(default=8, ge=1, le=50, description="Most phases of a plan.")
    steps_max: int = Field(default=40, ge=1, le=1000, description="Most steps of a plan.")
    parallel_max: int = Field(
        default=10, ge=1, le=1000, description="Most steps of one order at work at the same time."
    )
    plain_complexity_max: float = Field(
        default=1.0, ge=0, description="Up to this complexity an order is one step, planned without a model call."
    )


class QueuesSpec(Section):
    """Limits of every queue."""

    length_max: int = Field(default=10_000, ge=1, description="Messages a queue holds before it refuses another.")
    deliveries_max: int = Field(
        default=20, ge=1, le=1000, description="Deliveries of one message before it counts as poison."
    )


class RetrySpec(Section):
    """Business retry of a message whose handling failed for now."""

    attempts_max: int = Field(default=3, ge=1, le=100, description="Tries, the first one included.")
    delay_seconds: float = Field(default=1.0, ge=0, description="Wait before the second try.")
    factor: float = Field(default=2.0, ge=1, le=10, description="Each further wait is so many times longer.")
    delay_seconds_max: float = Field(
        default=300,
        ge=0,
        description="Longest wait of our own; a wait the model's service asks for is kept whatever its length.",
    )
    jitter: float = Field(default=0.2, ge=0, le=1, description="Part of the wait that is random.")


class BreakerSpec(Section):
    """One circuit breaker."""

    failures_max: int = Field(default=5, ge=1, description="Failures in a row that open it.")
    open_seconds: float = Field(default=60, gt=0, description="How long it stays open before it tries again.")
    trials_max: int = Field(default=1, ge=1, le=100, description="Calls let through while it tries.")


class BreakersSpec(Section):
    """Circuit breakers: what does not answer is left alone for a while."""

    model: BreakerSpec = Field(
        default=BreakerSpec(failures_max=3, open_seconds=120), description="Before the model's service."
    )
    broker: BreakerSpec = Field(default=BreakerSpec(), description="Before the broker.")
    store: BreakerSpec = Field(default=BreakerSpec(), description="Before the event store.")
    cache: BreakerSpec = Field(default=BreakerSpec(), description="Before the cache's server.")
    integrations: BreakerSpec = Field(default=BreakerSpec(), description="Before each notifier.")
