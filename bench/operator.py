"""The operator with hundreds of companies, in a whole control plane of its own whose pods are ready without running.

`python -m bench.operator --companies 300 --steady-seconds 600`. Broker and store are a listener of the bench, because
the operator asks external servers only whether somebody is there.
"""

import argparse
import os
import signal
import socketserver
import ssl
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from tests.cluster.light import LightCluster, light_cluster
from tests.cluster.processes import control_plane

from aicompany_operator.kubernetes_api.resources import DEPLOYMENT
from bench.figures import figure, heading
from bench.operator_cluster import NAMESPACES, Cluster, namespace_of, servers
from bench.operator_process import Metrics, OperatorProcess

CRD = Path(__file__).parents[1] / "crds" / "aicompany.io_aicompanies.yaml"
HOME = "bench-operator"
"""Namespace of the Lease."""
READY_SECONDS_MAX = 1800.0
OBSERVED_SECONDS_MAX = 600.0
SETTLED_SECONDS_MAX = 300.0
BACK_SECONDS_MAX = 60.0
DELETIONS = 5
DEPLOYMENTS = 6
"""Of each company: gateway, planner, deliverer, dialog, and its two agents."""
_QUIET_SECONDS = 15.0
"""So long nothing is written before the steady state counts as begun."""
_MIB = 2**20


@dataclass(frozen=True)
class Bench:
    """What all steps work on."""

    cluster: Cluster
    operator: OperatorProcess
    companies: int


def wait_for(reached: Callable[[], float], goal: float, what: str, *, seconds: float, pause_seconds: float) -> float:
    """Seconds until `reached` gives `goal`, with a bar meanwhile. Raises `TimeoutError`."""
    begun = time.monotonic()
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=goal)
        while (so_far := reached()) < goal:
            bar.update(task, completed=so_far)
            if time.monotonic() - begun > seconds:
                raise TimeoutError(f"{what}: {so_far:g} of {goal:g} within {seconds:g} s")
            time.sleep(pause_seconds)
    return time.monotonic() - begun


class _Nothing(socketserver.BaseRequestHandler):
    """Takes a connection, and lets go of it."""


@contextmanager
def listening() -> Iterator[int]:
    """The port of somebody who listens."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Nothing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()


def opened(light: LightCluster) -> Cluster:
    """The cluster's API, with the administrator's certificate."""
    pki = light.plane.pki
    trust = ssl.create_default_context(cafile=str(pki / "ca.crt"))
    trust.load_cert_chain(str(pki / "admin.crt"), str(pki / "admin.key"))
    return Cluster(light.plane.server, trust)


def prepare(light: LightCluster, cluster: Cluster, port: int) -> None:
    control_plane.apply(light.plane, CRD.read_text(encoding="utf-8"))
    wait_for(cluster.knows_companies, 1, "the definition of companies", seconds=60, pause_seconds=0.2)
    cluster.create_namespace(HOME)
    for number in range(NAMESPACES):
        namespace = namespace_of(number)
        cluster.create_namespace(namespace)
        cluster.create(f"/api/v1/namespaces/{namespace}/secrets", servers(namespace, port))


def leading(bench: Bench) -> None:
    wait_for(
        lambda: bench.operator.metrics().total("aicompany_operator_leading"),
        1, "the operator's Lease", seconds=60, pause_seconds=0.2,
    )  # fmt: skip


def first_apply(bench: Bench) -> None:
    leading(bench)
    busy, begun = bench.operator.busy_seconds, time.monotonic()
    for number in range(bench.companies):
        bench.cluster.create_company(number)
    applied = time.monotonic() - begun
    wait_for(
        bench.cluster.deployments, bench.companies * DEPLOYMENTS,
        "Deployments", seconds=READY_SECONDS_MAX, pause_seconds=1.0,
    )  # fmt: skip
    made = time.monotonic() - begun
    wait_for(bench.cluster.ready, bench.companies, "companies ready", seconds=READY_SECONDS_MAX, pause_seconds=1.0)
    took, metrics = time.monotonic() - begun, bench.operator.metrics()
    reconciles = metrics.total("aicompany_operator_reconciles_total")
    figure("first apply to all Ready", "-", f"{took:.1f} s")
    figure("  of it to hand them to the API server", "-", f"{applied:.1f} s")
    figure("  of it until all Deployments are there", "-", f"{made:.1f} s")
    figure("  reconciles a company", "-", f"{reconciles / bench.companies:.1f}")
    figure("  CPU of the operator a company", "-", f"{(bench.operator.busy_seconds - busy) / bench.companies:.2f} s")
    figure_of_reconciles("  p99 of a reconcile meanwhile", metrics)
    figure("  peak memory of the operator", "≤ 200 MiB", f"{bench.operator.peak_bytes / _MIB:.0f} MiB")


def settle(bench: Bench, what: str) -> None:
    """Wait until no object was written for a while: kwok and the controllers go on longer than the operator."""
    last, since = bench.cluster.writes(), time.monotonic()

    def quiet() -> float:
        nonlocal last, since
        if (now := bench.cluster.writes()) != last:
            last, since = now, time.monotonic()
        return time.monotonic() - since

    wait_for(quiet, _QUIET_SECONDS, what, seconds=SETTLED_SECONDS_MAX, pause_seconds=1.0)


def restart(bench: Bench) -> None:
    bench.operator.kill()
    begun = time.monotonic()
    bench.operator.start()
    wait_for(
        lambda: bench.operator.metrics().total("aicompany_operator_companies_observed"),
        bench.companies, "companies observed", seconds=OBSERVED_SECONDS_MAX, pause_seconds=0.5,
    )  # fmt: skip
    took, metrics = time.monotonic() - begun, bench.operator.metrics()
    figure("killed and started again: to all observed", "≤ 60 s", f"{took:.1f} s")
    figure("  writes of the operator meanwhile", "0", f"{metrics.total('aicompany_operator_writes_total'):.0f}")
    figure_of_reconciles("  p99 of a reconcile meanwhile", metrics)
    figure("  CPU of the operator", "-", f"{bench.operator.busy_seconds:.1f} s")
    figure("  peak memory of the operator", "≤ 200 MiB", f"{bench.operator.peak_bytes / _MIB:.0f} MiB")


def steady(bench: Bench, seconds: float) -> None:
    metrics, versions, writes = bench.operator.metrics(), bench.cluster.versions(), bench.cluster.writes()
    busy, begun = bench.operator.busy_seconds, time.monotonic()
    wait_for(lambda: time.monotonic() - begun, seconds, "steady state", seconds=seconds * 2, pause_seconds=1.0)
    after, elapsed = bench.operator.metrics(), time.monotonic() - begun
    names = "aicompany_operator_reconciles_total", "aicompany_operator_writes_total"
    reconciles, written = (after.total(name) - metrics.total(name) for name in names)
    seen, versions_after = bench.cluster.writes() - writes, bench.cluster.versions()
    changed = {key for key in versions.keys() | versions_after.keys() if versions.get(key) != versions_after.get(key)}
    figure(f"steady state, {elapsed:.0f} s: writes, by the operator's word", "0", f"{written:.0f}")
    figure("  writes the API server saw, whoever sent them", "0", f"{seen}")
    figure(f"  of {len(versions):,} objects with another resourceVersion", "0", f"{len(changed)}")
    figure("  reconciles", "-", f"{reconciles:.0f}")
    figure_of_reconciles("  p99 of a reconcile", after, metrics)
    figure("  CPU of the operator, of one core", "-", f"{(bench.operator.busy_seconds - busy) / elapsed:.1%}")
    figure("  memory of the operator", "≤ 200 MiB", f"{bench.operator.resident_bytes / _MIB:.0f} MiB")
    stuck = bench.operator.health().get("stuck", "unhealthy")
    figure("  companies without their turn, by /health", "none", "none" if stuck == [] else str(stuck))


def deletions(bench: Bench) -> None:
    """A Deployment of different companies, one after another."""
    times = []
    for number in range(min(DELETIONS, bench.companies)):
        namespace, name = namespace_of(number), f"company-{number}-gateway"
        before = bench.cluster.uid(DEPLOYMENT, namespace, name)
        bench.cluster.delete_deployment(namespace, name)

        def is_back(place: str = namespace, name: str = name, before: str | None = before) -> bool:
            return bench.cluster.uid(DEPLOYMENT, place, name) not in {before, None}

        times.append(wait_for(is_back, 1, "a deleted Deployment", seconds=BACK_SECONDS_MAX, pause_seconds=0.02))
    told = f"{statistics.median(times):.2f}, {max(times):.2f} s"
    figure(f"a deleted Deployment is back, median and longest of {len(times)}", "≤ 5 s", told)


def figure_of_reconciles(what: str, metrics: Metrics, since: Metrics | None = None) -> None:
    figure(what, "≤ 1 s", f"≤ {metrics.reconciles_within(0.99, since):g} s")


def measure(companies: int, steady_seconds: float) -> None:
    heading(f"the operator with {companies:,} companies")
    figure(f"load of the machine beforehand, {os.cpu_count()} cores", "-", f"{os.getloadavg()[0]:.1f}")
    with (
        tempfile.TemporaryDirectory(prefix="aicompany-bench-") as folder,
        listening() as port,
        light_cluster() as light,
    ):
        cluster = opened(light)
        operator = OperatorProcess(light.kubeconfig, Path(folder) / "operator.log", namespace=HOME)
        bench = Bench(cluster, operator, companies)
        try:
            prepare(light, cluster, port)
            operator.start()
            first_apply(bench)
            settle(bench, "quiet after the beginning")
            restart(bench)
            settle(bench, "quiet after the restart")
            steady(bench, steady_seconds)
            deletions(bench)
        finally:
            operator.kill()
            cluster.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--companies", type=int, default=300, help="how many")
    parser.add_argument("--steady-seconds", type=float, default=600.0, help="length of the steady state")
    chosen = parser.parse_args()
    # Otherwise the cluster would outlive a bench that is told to end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("told to end"))
    measure(chosen.companies, chosen.steady_seconds)


if __name__ == "__main__":
    main()
