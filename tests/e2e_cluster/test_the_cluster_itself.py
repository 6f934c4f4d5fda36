"""What every other test of a cluster takes for granted."""

import json

import pytest
import yaml
from tests.cluster.commands import run
from tests.cluster.light import light_cluster

# Bringing a cluster up may mean building it first.
pytestmark = pytest.mark.timeout(3600)
PAUSE = "localhost/pause:1"


@pytest.fixture
def kubectl(cluster):
    return lambda *words: run(cluster.kubectl, f"--kubeconfig={cluster.kubeconfig}", *words, seconds=120)


def test_a_pod_becomes_ready_and_goes(kubectl, cluster, tmp_path):
    if cluster.name != "processes":
        cluster.load([PAUSE])
    container = {"name": "sleeps", "image": PAUSE, "imagePullPolicy": "Never"}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "sleeper"}, "spec": {"containers": [container]}}
    (tmp_path / "pod.yaml").write_text(yaml.safe_dump(pod))
    kubectl("apply", "-f", str(tmp_path / "pod.yaml"))
    try:
        kubectl("wait", "--for=condition=Ready", "pod/sleeper", "--timeout=60s")
    finally:
        kubectl("delete", "pod", "sleeper", "--wait", "--timeout=60s")
    assert "sleeper" not in kubectl("get", "pods", "-o=name")


def test_names_have_a_service(kubectl):
    service = json.loads(kubectl("get", "service", "kube-dns", "-n=kube-system", "-o=json"))
    assert {port["port"] for port in service["spec"]["ports"]} >= {53}


def test_the_context_says_which_cluster_it_is(kubectl, cluster):
    assert kubectl("config", "current-context").strip() in {"aicompany", "kind-aicompany"}


def test_the_light_cluster_runs_beside_it_and_its_pods_are_ready():
    with light_cluster() as light:
        place = light.plane.place

        def kubectl(*words):
            return run(light.kubectl, f"--kubeconfig={light.kubeconfig}", *words, seconds=120)

        kubectl("create", "deployment", "many", "--image=none", "--replicas=50")
        kubectl("rollout", "status", "deployment/many", "--timeout=90s")
        running = light.daemons.running()
    assert set(running) == {"apiserver", "controller-manager", "etcd", "kwok", "scheduler"}
    assert not place.exists()
    assert light.daemons.running() == []
