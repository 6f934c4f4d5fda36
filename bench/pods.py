"""The operator on a cluster with real pods: from apply to Ready, and from a lost pod to its replacement."""

import json
import statistics
import time
from typing import Any

from tests.cluster.cluster import ClusterMissing, choose
from tests.cluster.kubectl import Kubectl
from tests.cluster.places import ROOT
from tests.cluster.trial import SYSTEM, provide
from tests.waiting import until

from bench.figures import figure, heading, progress

_NAMESPACE = "bench-offices"
_NAME = "timed"
_APPLIES = 3
_KILLS = 5
_LIMIT_SECONDS = 120.0


def main() -> None:
    try:
        cluster = choose()
    except ClusterMissing as missing:
        print(missing)
        return
    was_up = cluster.is_up()
    try:
        kubectl = provide(cluster)
        _start_operator(kubectl)
        _measure(kubectl)
    finally:
        if not was_up:
            cluster.down()


def _start_operator(kubectl: Kubectl) -> None:
    kubectl("apply", "--server-side", "-f", ROOT / "crds")
    kubectl("apply", "-f", ROOT / "manifests" / "operator.yaml")
    kubectl("rollout", "status", "deployment/aicompany-operator", "-n", SYSTEM, "--timeout=90s", seconds=100)


def _measure(kubectl: Kubectl) -> None:
    heading("The operator and real pods")
    kubectl("create", "namespace", _NAMESPACE)
    try:
        ready = []
        for number in range(_APPLIES):
            progress(f"apply {number + 1} of {_APPLIES}")
            ready.append(_from_apply_to_ready(kubectl))
            if number < _APPLIES - 1:
                kubectl("delete", "aicompany", _NAME, "-n", _NAMESPACE, "--timeout=60s", seconds=70)
        figure("apply to Ready, images present, median of 3", "≤ 60 s", f"{statistics.median(ready):.1f} s")
        replaced = [_from_loss_to_ready(kubectl) for _ in range(_KILLS)]
        figure("a deleted worker pod's replacement Ready, worst of 5", "≤ 10 s", f"{max(replaced):.1f} s")
        begun = time.perf_counter()
        kubectl("delete", "aicompany", _NAME, "-n", _NAMESPACE, "--timeout=60s", seconds=70)
        until(lambda: not _left(kubectl), within_seconds=_LIMIT_SECONDS)
        figure("deleted, and everything it owned gone", "≤ 30 s", f"{time.perf_counter() - begun:.1f} s")
    finally:
        kubectl("delete", "namespace", _NAMESPACE, "--timeout=90s", seconds=100)


def _from_apply_to_ready(kubectl: Kubectl) -> float:
    metadata = {"name": _NAME, "namespace": _NAMESPACE}
    begun = time.perf_counter()
    kubectl.apply({"apiVersion": "aicompany.io/v1alpha1", "kind": "AICompany", "metadata": metadata})
    limit = f"--timeout={_LIMIT_SECONDS:.0f}s"
    kubectl("wait", f"aicompany/{_NAME}", "-n", _NAMESPACE, "--for=condition=Ready", limit, seconds=_LIMIT_SECONDS + 10)
    return time.perf_counter() - begun


def _from_loss_to_ready(kubectl: Kubectl) -> float:
    before = _ready(kubectl)
    begun = time.perf_counter()
    kubectl("delete", "pod", *before, "-n", _NAMESPACE, "--grace-period=0", "--force")
    until(lambda: _ready(kubectl) - before, within_seconds=_LIMIT_SECONDS, every_seconds=0.1)
    return time.perf_counter() - begun


def _ready(kubectl: Kubectl) -> set[str]:
    pods = kubectl.list("pods", _NAMESPACE, "aicompany.io/role=task")
    return {pod["metadata"]["name"] for pod in pods if _is_ready(pod)}


def _is_ready(pod: dict[str, Any]) -> bool:
    conditions = pod["status"].get("conditions", ())
    is_ready = any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
    return is_ready and "deletionTimestamp" not in pod["metadata"]


def _left(kubectl: Kubectl) -> list[Any]:
    kinds = "deployments,replicasets,pods,services,configmaps,secrets,networkpolicies,poddisruptionbudgets"
    found = kubectl("get", kinds, "-n", _NAMESPACE, "-l", f"aicompany.io/company={_NAME}", "-o", "json")
    return list(json.loads(found)["items"])


if __name__ == "__main__":
    main()
