"""Where answers are kept and limits are shared: on the cache's server that the company's file names, else in memory."""

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from aicompany.caching.renewal import RenewalPolicy
from aicompany.ports.cache import Cache
from aicompany.ports.clock import Clock
from aicompany.ports.model import Model
from aicompany.ports.question_history import QuestionHistory
from aicompany.ports.rate_limits import RateLimits
from aicompany.resilience.breaker import Breaker
from aicompany.spec.company import AICompany
from aicompany.spec.servers import CacheSpec
from aicompany_workers.cache.memory import MemoryCache
from aicompany_workers.cache.memory_history import MemoryQuestionHistory
from aicompany_workers.cache.preload import Preload
from aicompany_workers.cache.question_log import QuestionLog
from aicompany_workers.cache.tiered import TieredCache
from aicompany_workers.limits.memory import MemoryRateLimits
from aicompany_workers.model.cached import CachedModel


@dataclass(frozen=True, slots=True)
class CachePorts:
    """The ports that the cache's server stands behind."""

    cache: Cache
    history: QuestionHistory
    limits: RateLimits
    describe_server: Callable[[], dict[str, Any] | None]
    """For status; `None` when there is no server."""


def open_cache(company: AICompany, process: str, *, clock: Clock, stack: AsyncExitStack) -> CachePorts:
    """Opened without waiting for the server: nothing depends on it, so it may be away."""
    spec = company.spec.cache
    memory = MemoryCache(clock, entries_max=spec.entries_max)
    if spec.url is None:
        history = MemoryQuestionHistory(clock, questions_max=spec.entries_max)
        return CachePorts(memory, history, MemoryRateLimits.of(company.spec.limits, clock), lambda: None)
    return _on_server(company, spec.url, process, memory, clock, stack)


def keep_answers(model: Model, ports: CachePorts, spec: CacheSpec, clock: Clock) -> tuple[CachedModel, Preload]:
    """The model with its answers kept, and the loop that renews them, for its owner to run."""
    questions = QuestionLog()
    cached = CachedModel(model, ports.cache, spec, clock, questions=questions)
    preload = Preload(
        ports.history,
        questions,
        RenewalPolicy.of(spec),
        renew=cached.renew,
        is_welcome=lambda: not cached.prefers_cached,
    )
    return cached, preload


def _on_server(
    company: AICompany, url: str, process: str, memory: MemoryCache, clock: Clock, stack: AsyncExitStack
) -> CachePorts:
    # Loaded only when it is used: the driver costs memory and time.
    from aicompany_workers.cache.redis import RedisCache  # noqa: PLC0415 - see above
    from aicompany_workers.cache.redis_history import RedisQuestionHistory  # noqa: PLC0415
    from aicompany_workers.limits.redis import RedisRateLimits  # noqa: PLC0415
    from aicompany_workers.redis_server import RedisServer  # noqa: PLC0415

    spec = company.spec
    breaker = Breaker.of(spec.breakers.cache)
    server = RedisServer(url, timeout_seconds=spec.cache.timeout_seconds, breaker=breaker, clock=clock)
    stack.push_async_callback(server.close)
    prefix = f"aicompany:{company.metadata.name}:"
    return CachePorts(
        cache=TieredCache(memory, RedisCache(server, prefix=prefix)),
        history=RedisQuestionHistory(server, prefix=prefix, questions_max=spec.cache.entries_max),
        limits=RedisRateLimits(server, spec.limits, clock, prefix=prefix, caller=process),
        describe_server=server.describe,
    )
