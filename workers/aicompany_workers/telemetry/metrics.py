"""Metrics of a worker, in the words of Prometheus: base units, few labels, bounded values."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from aicompany.usage import Usage
from aicompany_workers.telemetry.facts import MessageHandled
from aicompany_workers.telemetry.model_metrics import KeptAnswersCollector, RateLimitsCollector

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)


class WorkerMetrics:
    """All metrics of the workers in one process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self._handled = Counter(
            "aicompany_messages_handled",
            "Messages settled, by what became of them.",
            ("role", "purpose", "outcome"),
            registry=registry,
        )
        self._duration = Histogram(
            "aicompany_message_duration_seconds",
            "Time from taking a message to its settlement.",
            ("role", "purpose"),
            buckets=_SECONDS,
            registry=registry,
        )
        self._in_flight = Gauge(
            "aicompany_messages_in_flight", "Messages being worked on.", ("role", "agent"), registry=registry
        )
        self._tokens = Counter(
            "aicompany_model_tokens", "Tokens of model calls, by kind.", ("model", "kind"), registry=registry
        )
        self._cost = Counter(
            "aicompany_model_cost_usd", "Cost of model calls whose price is known.", ("model",), registry=registry
        )
        self._calls = Counter("aicompany_model_calls", "Model calls answered.", ("model", "stop"), registry=registry)
        self.kept_answers = KeptAnswersCollector()
        self.rate_limits = RateLimitsCollector()
        registry.register(self.kept_answers)
        registry.register(self.rate_limits)

    def message_handled(self, fact: MessageHandled) -> None:
        """Count and time one settlement."""
        purpose = fact.envelope.purpose.value
        self._handled.labels(fact.role, purpose, fact.outcome).inc()
        self._duration.labels(fact.role, purpose).observe(fact.duration_seconds)

    def watch_in_flight(self, role: str, agent: str | None, read: Callable[[], int]) -> None:
        """Read the number of a group's messages in flight when scraped."""
        self._in_flight.labels(role, agent or "").set_function(read)

    def model_answered(self, model: str, stop: str, usage: Usage) -> None:
        """Count one answer of a model."""
        self._calls.labels(model, stop).inc()
        for kind, amount in (
            ("input", usage.input_tokens),
            ("output", usage.output_tokens),
            ("cache_read", usage.cache_read_tokens),
            ("cache_write", usage.cache_write_tokens),
        ):
            if amount:
                self._tokens.labels(model, kind).inc(amount)
        if usage.cost_usd:
            self._cost.labels(model).inc(float(usage.cost_usd))
