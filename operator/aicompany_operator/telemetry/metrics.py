"""The operator's own metrics."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class OperatorMetrics:
    """What Prometheus is told."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self._reconciles = Counter(
            "aicompany_operator_reconciles",
            "Reconciles by how they ended: well, unwell, failed, broke, not_leading.",
            ["outcome"],
            registry=registry,
        )
        self._seconds = Histogram(
            "aicompany_operator_reconcile_seconds", "Length of a reconcile.", buckets=_SECONDS, registry=registry
        )
        self._writes = Counter(
            "aicompany_operator_writes", "Writes to the API server, by HTTP method.", ["method"], registry=registry
        )
        self._cleanups = Counter(
            "aicompany_operator_cleanups",
            "Deleted companies by what became of their places on the servers: removed, left.",
            ["outcome"],
            registry=registry,
        )
        self._companies = Gauge("aicompany_operator_companies", "Companies cared for.", registry=registry)
        self._observed = Gauge(
            "aicompany_operator_companies_observed",
            "Companies that were looked at since this process holds the Lease.",
            registry=registry,
        )
        self._leading = Gauge("aicompany_operator_leading", "1 while this process holds the Lease.", registry=registry)

    def reconciled(self, outcome: str, seconds: float) -> None:
        """A reconcile ended."""
        self._reconciles.labels(outcome).inc()
        self._seconds.observe(seconds)

    def wrote(self, method: str) -> None:
        """The API server took a write."""
        self._writes.labels(method).inc()

    def cleaned_up(self, outcome: str) -> None:
        """A deleted company's places were removed, or left for later."""
        self._cleanups.labels(outcome).inc()

    def watch(self, *, companies: Callable[[], int], observed: Callable[[], int], leading: Callable[[], bool]) -> None:
        """Where the gauges look."""
        self._companies.set_function(companies)
        self._observed.set_function(observed)
        self._leading.set_function(leading)
