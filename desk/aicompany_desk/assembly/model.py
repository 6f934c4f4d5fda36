"""The model that the company's file names, with all that stands before it.

From the outside in: kept answers (for questions that may be answered from them), the claim of the message that asks,
the service's limits, the breaker, the service.
"""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass

from aicompany.ports.clock import Clock
from aicompany.ports.model import Model, ModelAnswer
from aicompany.resilience.breaker import Breaker
from aicompany.spec.company import AICompany
from aicompany_workers.model.claimed import ClaimedModel
from aicompany_workers.model.guarded import GuardedModel
from aicompany_workers.model.select import select_model
from aicompany_workers.runtime.claims import Claims
from aicompany_workers.telemetry.metrics import WorkerMetrics


@dataclass(frozen=True, slots=True)
class Models:
    """One service, asked in two ways."""

    plain: Model
    """Asked anew each time."""
    cached: Model
    """Asked only when no good answer is kept."""
    guarded: GuardedModel
    """For status: the breaker."""


def open_models(
    company: AICompany,
    environment: Mapping[str, str],
    *,
    clock: Clock,
    metrics: WorkerMetrics,
    claim: Callable[[], Awaitable[None]],
    stack: AsyncExitStack,
) -> Models:
    """The models. Raises what the choice of the model raises."""
    spec = company.spec
    guarded = GuardedModel(
        select_model(spec.model, environment),
        breaker=Breaker.of(spec.breakers.model),
        concurrency=spec.model.concurrency,
        clock=clock,
        answered=lambda answer: _count(metrics, answer),
    )
    stack.push_async_callback(guarded.close)
    claimed = ClaimedModel(guarded, claim, Claims.answered)
    return Models(plain=claimed, cached=claimed, guarded=guarded)


def _count(metrics: WorkerMetrics, answer: ModelAnswer) -> None:
    metrics.model_answered(answer.model, answer.stop_reason.value, answer.usage)
