"""The real operator as a process, and what it says of itself."""

import json
import os
import subprocess
import sys
import threading
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import psutil
from prometheus_client.parser import text_string_to_metric_families
from tests.servers.server import free_port

IDENTITY = "bench-operator"
"""The same after a restart, as a pod that is only restarted keeps its name: the Lease need not run out."""
_SAMPLE_SECONDS = 0.5


@dataclass(frozen=True)
class Metrics:
    """One reading of `/metrics`."""

    samples: dict[tuple[str, str], float]
    """Name and label value (the only one, or nothing) → value."""

    def total(self, name: str) -> float:
        return sum(value for (found, _), value in self.samples.items() if found == name)

    def value(self, name: str, label: str) -> float:
        return self.samples.get((name, label), 0.0)

    def reconciles_within(self, part: float, since: "Metrics | None" = None) -> float:
        """Seconds within which that part of the reconciles ended, as the upper bound of the histogram's bucket."""
        counts = {
            float(bound): value - (since.value(name, bound) if since else 0.0)
            for (name, bound), value in self.samples.items()
            if name == "aicompany_operator_reconcile_seconds_bucket"
        }
        needed = max(counts.values(), default=0.0) * part
        return min((bound for bound, count in counts.items() if count >= needed), default=float("inf"))


class OperatorProcess:
    """One at a time; started, killed and started again with the same settings."""

    def __init__(self, kubeconfig: Path, log: Path, *, namespace: str) -> None:
        self.peak_bytes = 0
        """Most resident memory since the start."""
        self._log = log
        self._port = free_port()
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("OPERATOR_", "KUBE"))}
        self._environment = {
            **inherited,
            "KUBECONFIG": str(kubeconfig),
            "OPERATOR_WORKER_IMAGE": "example.test/worker:bench",
            "OPERATOR_NAMESPACE": namespace,
            "OPERATOR_IDENTITY": IDENTITY,
            "OPERATOR_PORT": str(self._port),
        }
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def resident_bytes(self) -> int:
        assert self._process is not None
        return int(psutil.Process(self._process.pid).memory_info().rss)

    @property
    def busy_seconds(self) -> float:
        """CPU time of the process so far."""
        assert self._process is not None
        times = psutil.Process(self._process.pid).cpu_times()
        return float(times.user + times.system)

    def start(self) -> None:
        program = Path(sys.executable).with_name("aicompany-operator")
        with self._log.open("ab") as log:
            self._process = subprocess.Popen([program], env=self._environment, stdout=log, stderr=log)
        self.peak_bytes = 0
        threading.Thread(target=self._watch_memory, args=(psutil.Process(self._process.pid),), daemon=True).start()

    def kill(self) -> None:
        """SIGKILL: it gives nothing back and says nothing."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(30)
            self._process = None

    def metrics(self) -> Metrics:
        """What it says now; nothing while it does not answer. Raises `RuntimeError` when it has ended."""
        text = self._ask("/metrics")
        return Metrics(
            {
                (sample.name, next(iter(sample.labels.values()), "")): sample.value
                for family in text_string_to_metric_families(text)
                for sample in family.samples
            }
        )

    def health(self) -> dict[str, object]:
        """`/health`; empty while it does not answer, or answers that companies are stuck."""
        return dict(json.loads(self._ask("/health") or "{}"))

    def _ask(self, path: str) -> str:
        if self._process is None or self._process.poll() is not None:
            raise RuntimeError(f"the operator ended; the last it said:\n{self._log.read_text()[-2000:]}")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}{path}", timeout=10) as answer:
                return str(answer.read().decode())
        except OSError:
            return ""

    def _watch_memory(self, process: psutil.Process) -> None:
        try:
            while True:
                self.peak_bytes = max(self.peak_bytes, process.memory_info().rss)
                time.sleep(_SAMPLE_SECONDS)
        except psutil.Error:
            return
