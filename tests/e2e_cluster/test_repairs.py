"""What is killed, deleted or edited comes back; what was accepted is carried out."""

import json

import pytest
from tests.cluster.trial import SERVERS, SYSTEM
from tests.e2e_cluster.commands import aicompany
from tests.e2e_cluster.conftest import COMPANY, NAMESPACE
from tests.waiting import until

pytestmark = pytest.mark.timeout(3600)


def kill(kubectl, namespace, *what):
    kubectl("delete", "pod", "-n", namespace, *what, "--grace-period=0", "--force", "--wait=false")


def test_a_killed_worker_is_replaced(office):
    before = office.ready_pods(role="task", agent="writer")
    kill(office.kubectl, NAMESPACE, *before)
    until(lambda: office.ready_pods(role="task", agent="writer") - before, within_seconds=60)
    office.settles()


@pytest.mark.parametrize(
    ("kind", "name", "change", "is_back"),
    [
        ("deployment", "acme-pm", '{"spec": {"replicas": 3}}', lambda it: it["spec"]["replicas"] == 1),
        (
            "deployment", "acme-task-writer",
            '{"spec": {"template": {"metadata": {"annotations": {"aicompany.io/configuration": "mine"}}}}}',
            lambda it: it["spec"]["template"]["metadata"]["annotations"]["aicompany.io/configuration"] != "mine",
        ),
        ("configmap", "acme-company", '{"data": {"company.yaml": "nothing"}}',
         lambda it: "kind: AICompany" in it["data"]["company.yaml"]),
        ("service", "acme-gateway", '{"spec": {"selector": {"aicompany.io/role": "nobody"}}}',
         lambda it: it["spec"]["selector"]["aicompany.io/role"] == "gateway"),
        ("networkpolicy", "acme-pods", '{"spec": {"policyTypes": ["Ingress"]}}',
         lambda it: "Egress" in it["spec"]["policyTypes"]),
    ],
    ids=["replicas", "annotation", "configuration", "selector", "network-policy"],
)  # fmt: skip
def test_what_was_edited_by_hand_is_put_right(office, kind, name, change, is_back):
    office.patch(kind, name, change)
    until(lambda: is_back(office.kubectl.get(kind, name, NAMESPACE)), within_seconds=15)
    office.settles()


@pytest.mark.parametrize("kind", ["deployment", "service", "poddisruptionbudget"])
def test_what_was_deleted_by_hand_comes_back(office, kind):
    name = "acme-gateway"
    uid = office.kubectl.get(kind, name, NAMESPACE)["metadata"]["uid"]
    office.kubectl("delete", kind, name, "-n", NAMESPACE)
    until(lambda: office.kubectl.get(kind, name, NAMESPACE)["metadata"]["uid"] != uid, within_seconds=15)
    office.settles()


def test_lost_passwords_are_made_anew(office, kubeconfig):
    office.settles()
    before = office.ready_pods(role="gateway")
    office.kubectl("delete", "secret", "acme-credentials", "-n", NAMESPACE)
    until(lambda: office.kubectl.get("secret", "acme-credentials", NAMESPACE), within_seconds=15)
    # The conditions still tell of the time before; the gateway's new pod is the sign that the new token counts.
    until(lambda: office.is_settled() and not office.ready_pods(role="gateway") & before, within_seconds=120)
    done = aicompany(kubeconfig, "order", "Write a line about tides", "--wait")
    assert done.returncode == 0, done.stderr


def test_an_order_outlives_the_broker_and_the_workers(office, kubeconfig):
    accepted = aicompany(kubeconfig, "order", "Write a line about storms", "-o", "json")
    task = json.loads(accepted.stdout)["id"]
    kill(office.kubectl, SERVERS, "rabbitmq-0")
    kill(office.kubectl, NAMESPACE, *office.ready_pods(role="pm"), *office.ready_pods(role="task"))
    ask = ("task", task, "-o", "json")
    until(
        lambda: json.loads(aicompany(kubeconfig, *ask).stdout)["state"] == "completed",
        within_seconds=120, every_seconds=1,
    )  # fmt: skip
    office.settles(seconds=120)


def test_a_killed_operator_takes_up_again(office, another):
    kill(office.kubectl, SYSTEM, "--selector=app.kubernetes.io/name=aicompany-operator")
    name = another("orphan")
    office.becomes("Ready", "True", name=name, seconds=75)


def test_only_the_pods_that_a_change_concerns_are_replaced(office):
    office.settles()
    before = office.ready_pods()
    agents = [
        {"name": "writer", "specialities": ["writing"], "instructions": "You write even more plainly."},
        {"name": "generalist", "fallback": True},
    ]
    office.patch("aicompany", COMPANY, json.dumps({"spec": {"agents": agents}}))
    until(lambda: office.is_settled() and office.ready_pods(role="task", agent="writer") - before, within_seconds=90)
    gone = before - office.ready_pods()
    assert gone
    assert all(name.startswith("acme-task-writer-") for name in gone)


def test_a_removed_agent_goes_with_its_pods(office, another):
    agents = [{"name": "extra"}, {"name": "generalist", "fallback": True}]
    name = another("shrinking", agents=agents)
    office.becomes("Ready", "True", name=name)
    office.patch("aicompany", name, json.dumps({"spec": {"agents": agents[1:]}}))
    until(lambda: not office.pods(name, agent="extra"), within_seconds=60)
    assert office.kubectl.get("deployment", "shrinking-task-extra", NAMESPACE) is None
    office.settles(name)
