"""The model that the company's file names, with all that stands before it.

From the outside in: kept answers (for questions that may be answered from them), the claim of the message that asks,
the service's limits, the breaker, the service.
"""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass

from aicompany.caching.renewal import RenewalPolicy
from aicompany.ports.cache import Cache
from aicompany.ports.clock import Clock
from aicompany.ports.model import Model, ModelAnswer
from aicompany.ports.question_history import QuestionHistory
from aicompany.ports.rate_limits import RateLimits
from aicompany.resilience.breaker import Breaker
from aicompany.spec.company import AICompany
from aicompany.spec.servers import CacheSpec
from aicompany_workers.breakers import Breakers
from aicompany_workers.cache.memory import MemoryCache
from aicompany_workers.cache.memory_history import MemoryQuestionHistory
from aicompany_workers.cache.preload import Preload
from aicompany_workers.cache.question_log import QuestionLog
from aicompany_workers.limits.memory import MemoryRateLimits
from aicompany_workers.model.cached import CachedModel
from aicompany_workers.model.claimed import ClaimedModel
from aicompany_workers.model.guarded import GuardedModel
from aicompany_workers.model.limited import LimitedModel
from aicompany_workers.model.limits_heard import LimitsHeard
from aicompany_workers.model.select import select_model
from aicompany_workers.runtime.claims import Claims
from aicompany_workers.telemetry.metrics import WorkerMetrics

_QUESTIONS_MAX = 10_000
"""Remembered with how often they were asked."""


@dataclass(frozen=True, slots=True)
class Models:
    """One service, asked in two ways."""

    plain: Model
    """Asked anew each time."""
    cached: Model
    """Asked only when no good answer is kept."""
    guarded: GuardedModel
    """For status: the breaker."""
    limited: LimitedModel
    """For status: the limits."""
    kept: CachedModel | None
    """`cached`, when answers are kept."""
    preload: Preload | None


@dataclass(frozen=True, slots=True)
class _Shared:
    """What may be shared with other processes."""

    cache: Cache
    history: QuestionHistory
    limits: RateLimits


def open_models(
    company: AICompany,
    environment: Mapping[str, str],
    *,
    clock: Clock,
    metrics: WorkerMetrics,
    breakers: Breakers,
    process: str,
    claim: Callable[[], Awaitable[None]],
    stack: AsyncExitStack,
) -> Models:
    """The models. Raises what the choice of the model raises."""
    spec = company.spec
    heard = LimitsHeard()
    guarded = GuardedModel(
        select_model(spec.model, environment, limits_heard=heard.hear),
        breaker=Breaker.of(spec.breakers.model),
        concurrency=spec.model.concurrency,
        clock=clock,
        answered=lambda answer: _count(metrics, answer),
    )
    breakers.watch("model", lambda: guarded.breaker)
    stack.push_async_callback(guarded.close)
    shared = _open_shared(company, clock, breakers, process, stack)
    limited = LimitedModel(guarded, shared.limits, heard, clock)
    claimed = ClaimedModel(limited, claim, Claims.answered)
    metrics.rate_limits.watch(limited.statistics, lambda: limited.waiting)
    if not spec.cache.enabled:
        return Models(claimed, claimed, guarded, limited, None, None)
    kept, preload = _keep(claimed, limited, shared, spec.cache, clock)
    metrics.kept_answers.watch(kept.statistics, preload)
    return Models(claimed, kept, guarded, limited, kept, preload)


def _keep(
    claimed: Model, limited: Model, shared: _Shared, spec: CacheSpec, clock: Clock
) -> tuple[CachedModel, Preload]:
    """Kept answers, and the loop that renews them: its questions are nobody's message, so it claims none."""
    questions = QuestionLog()
    kept = CachedModel(claimed, shared.cache, spec, clock, questions=questions)
    renewing = CachedModel(limited, shared.cache, spec, clock, questions=questions)
    preload = Preload(
        shared.history,
        questions,
        RenewalPolicy.of(spec),
        renew=renewing.renew,
        is_welcome=lambda: not kept.prefers_cached and not kept.is_offline,
    )
    return kept, preload


def _open_shared(company: AICompany, clock: Clock, breakers: Breakers, process: str, stack: AsyncExitStack) -> _Shared:
    spec = company.spec
    near = MemoryCache(clock, entries_max=spec.cache.entries_max)
    if spec.cache.url is None:
        history = MemoryQuestionHistory(clock, questions_max=_QUESTIONS_MAX)
        return _Shared(near, history, MemoryRateLimits.of(spec.limits, clock))
    # Loaded only when it is used: the client costs memory and time.
    from aicompany_desk.assembly.redis import redis_adapters  # noqa: PLC0415 - see above

    cache, shared_history, limits = redis_adapters(
        company, near, clock, breakers, process=process, questions_max=_QUESTIONS_MAX, stack=stack
    )
    return _Shared(cache, shared_history, limits)


def _count(metrics: WorkerMetrics, answer: ModelAnswer) -> None:
    metrics.model_answered(answer.model, answer.stop_reason.value, answer.usage)
