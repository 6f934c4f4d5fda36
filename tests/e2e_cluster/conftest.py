"""A cluster with the operator at work and a company in it. What is up already stays up; else it goes with the tests."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.cluster.cluster import Cluster, ClusterMissing, choose
from tests.cluster.definition import establish
from tests.cluster.images.catalogue import MESSAGES_API
from tests.cluster.kubectl import Kubectl
from tests.cluster.places import ROOT
from tests.cluster.processes.build import binaries
from tests.cluster.trial import SYSTEM, provide
from tests.waiting import until

# Tests call kubectl and helm as a user does: by their names.
os.environ["PATH"] = os.pathsep.join((str(ROOT / ".venv" / "bin"), str(binaries()), os.environ.get("PATH", "")))

KEY = "sk-test-of-the-cluster"
NAMESPACE = "offices"
COMPANY = "acme"


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The cluster, up."""
    try:
        chosen = choose()
    except ClusterMissing as error:
        pytest.skip(str(error))
    if chosen.is_up():
        yield chosen
        return
    try:
        chosen.up()
        yield chosen
    finally:
        chosen.down()


@pytest.fixture(scope="session")
def kubectl(cluster: Cluster) -> Kubectl:
    """kubectl with a cluster on which images, servers and the operator stand, as `make cluster` and the README say."""
    kubectl = provide(cluster)
    establish(kubectl, ROOT / "crds")
    kubectl("apply", "-f", ROOT / "manifests" / "operator.yaml")
    kubectl("rollout", "restart", "deployment/aicompany-operator", "-n", SYSTEM)
    kubectl("rollout", "status", "deployment/aicompany-operator", "-n", SYSTEM, "--timeout=90s", seconds=100)
    return kubectl


@pytest.fixture(scope="session")
def kubeconfig(cluster: Cluster, kubectl: Kubectl) -> Path:
    """The administrator's, in the environment of commands as well."""
    os.environ["KUBECONFIG"] = str(cluster.kubeconfig)
    return cluster.kubeconfig


def company(name: str, **spec: Any) -> dict[str, Any]:
    """An `AICompany`."""
    return {
        "apiVersion": "aicompany.io/v1alpha1",
        "kind": "AICompany",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": spec,
    }


def asking(namespace: str = NAMESPACE) -> dict[str, Any]:
    """`spec.model` for the tests' Messages API."""
    return {
        "provider": "anthropic",
        "baseUrl": f"http://messages-api.{namespace}:8080",
        "apiKeySecret": {"name": "anthropic", "key": "api-key"},
    }


AGENTS = [
    {"name": "writer", "specialities": ["writing"], "instructions": "You write plainly."},
    {"name": "generalist", "fallback": True},
]


@dataclass(frozen=True, slots=True)
class Office:
    """A namespace with a company, seen by kubectl."""

    kubectl: Kubectl

    def company(self, name: str = COMPANY) -> dict[str, Any]:
        """The resource."""
        found = self.kubectl.get("aicompany", name, NAMESPACE)
        assert found is not None
        return found

    def condition(self, kind: str, name: str = COMPANY) -> dict[str, Any]:
        """One of its conditions; empty when nothing was said yet."""
        conditions = self.company(name).get("status", {}).get("conditions", ())
        return next((dict(each) for each in conditions if each["type"] == kind), {})

    def becomes(self, kind: str, status: str, reason: str = "", *, name: str = COMPANY, seconds: float = 60) -> str:
        """Wait for a condition, and return its message."""

        def holds() -> bool:
            seen = self.condition(kind, name)
            return seen.get("status") == status and reason in {"", seen.get("reason")}

        until(holds, within_seconds=seconds, what=lambda: f"{kind} of {name}: {self.condition(kind, name)}")
        return str(self.condition(kind, name)["message"])

    def is_settled(self, name: str = COMPANY) -> bool:
        """Ready, nothing wrong, nothing on the way, and said of the newest specification."""
        resource = self.company(name)
        conditions = {each["type"]: each for each in resource.get("status", {}).get("conditions", ())}
        wanted = {"Ready": "True", "Degraded": "False", "Progressing": "False"}
        return all(
            conditions.get(kind, {}).get("status") == status
            and conditions[kind]["observedGeneration"] == resource["metadata"]["generation"]
            for kind, status in wanted.items()
        )

    def settles(self, name: str = COMPANY, *, seconds: float = 90) -> None:
        """Wait until it is."""
        until(
            lambda: self.is_settled(name),
            within_seconds=seconds,
            what=lambda: str(self.company(name).get("status", {}).get("conditions")),
        )

    def pods(self, name: str = COMPANY, *, role: str = "", agent: str = "") -> list[dict[str, Any]]:
        """Pods that are not on their way out."""
        wanted = {"company": name, "role": role, "agent": agent}
        selector = ",".join(f"aicompany.io/{label}={value}" for label, value in wanted.items() if value)
        found = self.kubectl.list("pods", NAMESPACE, selector)
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def ready_pods(self, name: str = COMPANY, *, role: str = "", agent: str = "") -> set[str]:
        """Names of those that are ready."""
        return {
            pod["metadata"]["name"]
            for pod in self.pods(name, role=role, agent=agent)
            if any(each["type"] == "Ready" and each["status"] == "True" for each in pod["status"].get("conditions", ()))
        }

    def patch(self, kind: str, name: str, change: str, namespace: str = NAMESPACE) -> None:
        """A merge patch."""
        self.kubectl("patch", kind, name, "-n", namespace, "--type=merge", "-p", change)


@pytest.fixture(scope="session")
def office(kubectl: Kubectl, kubeconfig: Path) -> Iterator[Office]:
    """The company `acme` in a namespace of its own, Ready, asking the tests' Messages API; deleted afterwards."""
    kubectl("delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout=90s", seconds=100)
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    kubectl.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}})
    for manifest in _messages_api():
        kubectl.apply(manifest)
    kubectl("create", "secret", "generic", "anthropic", "-n", NAMESPACE, f"--from-literal=api-key={KEY}")
    kubectl("rollout", "status", "deployment/messages-api", "-n", NAMESPACE, "--timeout=90s", seconds=100)
    office = Office(kubectl)
    kubectl.apply(company(COMPANY, agents=AGENTS, model=asking()))
    office.settles()
    yield office
    kubectl("delete", "namespace", NAMESPACE, "--timeout=90s", seconds=100)


def _messages_api() -> list[dict[str, Any]]:
    labels = {"app": "messages-api"}
    container = {
        "name": "messages-api",
        "image": MESSAGES_API,
        "imagePullPolicy": "IfNotPresent",
        "args": ["--key", KEY],
        "ports": [{"containerPort": 8080}],
        "readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1},
        "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"cpu": "500m", "memory": "256Mi"}},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    pod = {
        "automountServiceAccountToken": False,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
        "terminationGracePeriodSeconds": 1,
    }
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "messages-api", "namespace": NAMESPACE},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "messages-api", "namespace": NAMESPACE},
        "spec": {"selector": labels, "ports": [{"port": 8080, "targetPort": 8080}]},
    }
    return [deployment, service]


@pytest.fixture
def another(office: Office) -> Iterator[Callable[..., str]]:
    """Makes a company of a test's own beside acme; it is deleted with the test."""
    made: list[str] = []

    def make(name: str, **spec: Any) -> str:
        made.append(name)
        office.kubectl.apply(company(name, **spec))
        return name

    yield make
    for name in made:
        office.kubectl("delete", "aicompany", name, "-n", NAMESPACE, "--ignore-not-found", "--timeout=60s", seconds=70)
