"""A deleted company is gone with everything it owned, also when a server is away."""

import pytest
from tests.cluster.trial import SERVERS
from tests.e2e_cluster.conftest import NAMESPACE
from tests.waiting import until

pytestmark = pytest.mark.timeout(3600)
GONE = 30


def vhosts(kubectl):
    return kubectl("exec", "rabbitmq-0", "-n", SERVERS, "--", "rabbitmqctl", "-q", "list_vhosts").split()


def databases(kubectl):
    query = "SELECT datname FROM pg_database"
    return kubectl(
        "exec", "postgres-0", "-n", SERVERS, "--", "sh", "-c",
        f'PATH=$PATH:$(echo /usr/lib/postgresql/*/bin); psql -U "$POSTGRES_USER" -d postgres -Atc "{query}"',
    ).split()  # fmt: skip


def is_gone(office, name):
    kinds = "deploy,replicasets,pods,services,configmaps,secrets,serviceaccounts,poddisruptionbudgets,networkpolicies"
    left = office.kubectl("get", kinds, "-n", NAMESPACE, "-l", f"aicompany.io/company={name}", "-o", "name")
    return not left.strip() and office.kubectl.get("aicompany", name, NAMESPACE) is None


def test_all_is_gone(office, another):
    name = another("leaving")
    office.settles(name)
    place = f"aicompany.{NAMESPACE}.{name}"
    database = office.company(name)["status"]["store"]
    assert place in vhosts(office.kubectl)
    assert database in databases(office.kubectl)
    office.kubectl("delete", "aicompany", name, "-n", NAMESPACE, f"--timeout={GONE}s")
    until(lambda: is_gone(office, name), within_seconds=GONE)
    assert place not in vhosts(office.kubectl)
    assert database not in databases(office.kubectl)


def stubborn_pod(office, name):
    """A pod of the company that does not stop when it is asked to, and has a minute."""
    worker = office.kubectl.get("deploy", f"{name}-pm", NAMESPACE)["spec"]["template"]["spec"]["containers"][0]
    ignoring = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); "
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"{name}-deaf", "namespace": NAMESPACE, "labels": {"aicompany.io/company": name}},
        "spec": {
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 60,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 10001,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": "deaf",
                    "image": worker["image"],
                    "imagePullPolicy": worker["imagePullPolicy"],
                    "command": ["/opt/aicompany/bin/python", "-c", f"{ignoring}signal.pause()"],
                    "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
                }
            ],
        },
    }
    office.kubectl.apply(pod)
    until(lambda: "deaf" in office.kubectl("logs", f"{name}-deaf", "-n", NAMESPACE), within_seconds=60)
    return pod["metadata"]["name"]


def test_a_pod_that_was_given_a_minute_before_and_does_not_stop_is_gone_all_the_same(office, another):
    name = another("deaf")
    office.settles(name)
    pod = stubborn_pod(office, name)
    office.kubectl("delete", "pod", pod, "-n", NAMESPACE, "--wait=false")
    office.kubectl("delete", "aicompany", name, "-n", NAMESPACE, f"--timeout={GONE}s")
    until(lambda: is_gone(office, name), within_seconds=GONE)


def test_all_is_gone_also_when_the_broker_is_dead_and_the_rest_follows(office, another):
    name = another("bereaved")
    office.settles(name)
    place = f"aicompany.{NAMESPACE}.{name}"
    office.kubectl("scale", "statefulset/rabbitmq", "-n", SERVERS, "--replicas=0")
    try:
        until(lambda: office.kubectl.get("pod", "rabbitmq-0", SERVERS) is None, within_seconds=60)
        office.kubectl("delete", "aicompany", name, "-n", NAMESPACE, f"--timeout={GONE}s")
        until(lambda: is_gone(office, name), within_seconds=GONE)
    finally:
        office.kubectl("scale", "statefulset/rabbitmq", "-n", SERVERS, "--replicas=1")
        office.kubectl("rollout", "status", "statefulset/rabbitmq", "-n", SERVERS, "--timeout=120s", seconds=130)
    until(lambda: place not in vhosts(office.kubectl), within_seconds=90)
    office.settles(seconds=150)
