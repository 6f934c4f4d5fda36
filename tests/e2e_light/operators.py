"""The operator as a process."""

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request

from prometheus_client.parser import text_string_to_metric_families
from tests.servers.server import free_port


class Operator:
    """One process. Several with the same `lease` namespace wait for each other."""

    def __init__(self, cluster, place, *, lease, identity="operator", **settings):
        self.port = free_port()
        self.log = place / f"{identity}.log"
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("OPERATOR_", "KUBE"))}
        chosen = {
            "worker_image": "example.test/worker:1",
            "namespace": lease,
            "identity": identity,
            "port": self.port,
            "lease_seconds": 3,
            "unwell_seconds": 1,
            **settings,
        }
        environment |= {f"OPERATOR_{name.upper()}": str(value) for name, value in chosen.items()}
        environment["KUBECONFIG"] = str(cluster.kubeconfig)
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "aicompany_operator.main"], env=environment, stdout=out, stderr=out
            )

    def ask(self, path):
        """Status and text; nothing while it does not answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return None

    def health(self):
        """What `/health` says; empty while it does not answer."""
        answer = self.ask("/health")
        return json.loads(answer[1]) if answer else {}

    def is_leading(self):
        return self.health().get("leading", False)

    def total(self, name):
        """A metric, summed over its labels."""
        _, text = self.ask("/metrics")
        families = text_string_to_metric_families(text)
        return sum(sample.value for family in families for sample in family.samples if sample.name == name)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def end(self):
        """SIGTERM; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
