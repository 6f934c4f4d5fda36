"""What happens to an order beyond what happens to every task: its plan, receipts, checkpoints and delivery.

These stand in the order's own aggregate, between its `task_submitted` and its end.
"""

from typing import ClassVar

from pydantic import Field

from aicompany.events import Event
from aicompany.failure import Failure
from aicompany.plans.plan import Plan, PlanSource, StepOutcome
from aicompany.usage import Usage


class PlanMade(Event):
    """The plan stands."""

    event_type: ClassVar[str] = "plan_made"
    plan: Plan
    source: PlanSource


class StepsDispatched(Event):
    """These steps were handed out."""

    event_type: ClassVar[str] = "steps_dispatched"
    phase: int
    steps: tuple[str, ...]
    run: int = 1


class StepEnded(Event):
    """The receipt of a step."""

    event_type: ClassVar[str] = "step_ended"
    step: str
    run: int = 1
    outcome: StepOutcome
    usage: Usage
    failure: Failure | None = None


class PhaseCompleted(Event):
    """The checkpoint after a phase."""

    event_type: ClassVar[str] = "phase_completed"
    phase: int


class RollbackStarted(Event):
    """The phase is taken back through its steps' undo; the order ends when that is done."""

    event_type: ClassVar[str] = "rollback_started"
    phase: int
    steps: tuple[str, ...] = Field(description="Steps that will be undone.")
    cause: str = Field(description="`failed`, `cancelled` or `deadline`.")
    failure: Failure


class ResultDelivered(Event):
    """What came out was kept and its requester told."""

    event_type: ClassVar[str] = "result_delivered"
    notifier: str
    reference: str
    kept_at: str = Field(description="File the result is kept in; files that were made lie beside it.")
    run: int = 1
