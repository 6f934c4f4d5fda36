"""What several processes share in Redis: kept answers, what is asked often, the service's limits."""

from contextlib import AsyncExitStack

from aicompany.ports.cache import Cache
from aicompany.ports.clock import Clock
from aicompany.ports.question_history import QuestionHistory
from aicompany.ports.rate_limits import RateLimits
from aicompany.resilience.breaker import Breaker
from aicompany.spec.company import AICompany
from aicompany_workers.breakers import Breakers
from aicompany_workers.cache.redis import RedisCache
from aicompany_workers.cache.redis_history import RedisQuestionHistory
from aicompany_workers.cache.tiered import TieredCache
from aicompany_workers.limits.redis import RedisRateLimits
from aicompany_workers.redis_server import RedisServer


def redis_adapters(
    company: AICompany,
    near: Cache,
    clock: Clock,
    breakers: Breakers,
    *,
    process: str,
    questions_max: int,
    stack: AsyncExitStack,
) -> tuple[Cache, QuestionHistory, RateLimits]:
    """Cache with `near` before it, history and limits, over one server. Nothing is raised when it is away."""
    spec, name = company.spec, company.metadata.name
    server = RedisServer(
        spec.cache.url or "",
        timeout_seconds=spec.cache.timeout_seconds,
        breaker=Breaker.of(spec.breakers.cache),
        clock=clock,
    )
    stack.push_async_callback(server.close)
    breakers.watch("cache", lambda: server.breaker)
    cache = TieredCache(near, RedisCache(server, prefix=f"aicompany:{name}:answer:"))
    history = RedisQuestionHistory(server, prefix=f"aicompany:{name}:asked:", questions_max=questions_max)
    limits = RedisRateLimits(server, spec.limits, clock, prefix=f"aicompany:{name}:limits:", caller=process)
    return cache, history, limits
