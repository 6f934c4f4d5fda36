"""Metrics of kept answers and of the service's limits, read when they are scraped."""

from collections.abc import Callable, Iterable

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from aicompany.ports.rate_limits import RateLimitStatistics
from aicompany_workers.cache.cached_function import KeptStatistics
from aicompany_workers.cache.preload import Preload


class KeptAnswersCollector(Collector):
    """Answers that were given before; empty until `watch`."""

    def __init__(self) -> None:
        self._read: Callable[[], KeptStatistics] | None = None
        self._preload: Preload | None = None

    def watch(self, read: Callable[[], KeptStatistics], preload: Preload | None) -> None:
        """Read from there from now on."""
        self._read, self._preload = read, preload

    def collect(self) -> Iterable[Metric]:
        """As it stands."""
        seen = self._read() if self._read else None
        counters = {
            "hits": ("Questions answered from the cache.", _of(seen, "hits")),
            "misses": ("Questions whose answer was not in the cache.", _of(seen, "misses")),
            "stale_hits": ("Questions answered under overload with an answer past its time.", _of(seen, "stale_hits")),
            "shared": ("Questions answered by a call that was under way for another one.", _of(seen, "shared")),
            "errors": ("Requests that the cache's server did not answer in time.", _of(seen, "errors")),
            "renewals": ("Answers renewed before they expired.", _of(self._preload, "renewed_total")),
            "renewals_failed": ("Renewals that failed.", _of(self._preload, "failed_total")),
        }
        for name, (meaning, value) in counters.items():
            yield _counter(f"aicompany_cache_{name}", meaning, value)
        yield _gauge("aicompany_cache_entries", "Answers in this process's memory.", _of(seen, "entries"))


class RateLimitsCollector(Collector):
    """The service's limits as this process knows them; empty until `watch`."""

    def __init__(self) -> None:
        self._read: Callable[[], RateLimitStatistics] | None = None
        self._waiting: Callable[[], int] | None = None

    def watch(self, read: Callable[[], RateLimitStatistics], waiting: Callable[[], int]) -> None:
        """Read from there from now on."""
        self._read, self._waiting = read, waiting

    def collect(self) -> Iterable[Metric]:
        """As they stand."""
        seen = self._read() if self._read else None
        per_minute = GaugeMetricFamily(
            "aicompany_rate_limit_per_minute", "What the model's service allows.", labels=("model", "measure")
        )
        left = GaugeMetricFamily(
            "aicompany_rate_limit_left", "What is left of it; below 0 when calls wait.", labels=("model", "measure")
        )
        paused = GaugeMetricFamily(
            "aicompany_rate_limit_paused_seconds", "How long the service wants to be left alone.", labels=("model",)
        )
        for model, limits in seen.limits.items() if seen else ():
            for measure, state in limits.items():
                per_minute.add_metric((model, measure), state.limit)
                left.add_metric((model, measure), state.level)
        for model, seconds in seen.paused_seconds.items() if seen else ():
            paused.add_metric((model,), seconds)
        yield from (per_minute, left, paused)
        yield _gauge(
            "aicompany_rate_limit_waiting",
            "Calls that wait for their turn.",
            self._waiting() if self._waiting else None,
        )
        yield _gauge("aicompany_rate_limit_shared", "Whether all workers go by the same numbers.", _of(seen, "shared"))
        yield _counter("aicompany_rate_limit_turns", "Calls that were given a turn.", _of(seen, "turns"))
        yield _counter(
            "aicompany_rate_limit_refused", "Calls whose turn would have come too late.", _of(seen, "refused")
        )
        yield _counter(
            "aicompany_rate_limit_errors",
            "Requests that the limits' server did not answer in time.",
            _of(seen, "errors"),
        )


def _of(seen: object | None, name: str) -> float | None:
    """A number of what was read; `None` when nothing was, or when it is not known."""
    number = getattr(seen, name) if seen is not None else None
    return None if number is None else float(number)


def _counter(name: str, meaning: str, value: float | None) -> Metric:
    return CounterMetricFamily(name, meaning, value=value)


def _gauge(name: str, meaning: str, value: float | None) -> Metric:
    return GaugeMetricFamily(name, meaning, value=value)
