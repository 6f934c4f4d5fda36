"""What is wrong is said within seconds, with the way out; and it is repaired as soon as it can be."""

import pytest
from tests.cluster.commands import CommandFailed
from tests.e2e_cluster.conftest import KEY, NAMESPACE, asking, company
from tests.waiting import until

pytestmark = pytest.mark.timeout(3600)
SOON = 15


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        ({"workers": {"task": {"min": 6, "max": 2}}}, "min is more than max; lower min or raise max"),
        ({"agents": [{"name": "one"}]}, "exactly one agent must have `fallback: true`"),
        ({"model": {"apiKeyFile": "/key", "apiKeySecret": {"name": "a", "key": "b"}}}, "keep one of them"),
        ({"scaling": {"queuePerWorker": "many"}}, "queuePerWorker"),
    ],
)
def test_a_wrong_specification_is_refused_at_once(office, spec, sentence):
    with pytest.raises(CommandFailed) as refused:
        office.kubectl.apply(company("wrong", **spec))
    assert sentence in str(refused.value)


def test_a_missing_secret_is_named_and_no_pod_is_made(office, another):
    model = {**asking(), "apiKeySecret": {"name": "not-there", "key": "api-key"}}
    name = another("keyless", model=model)
    said = office.becomes("CredentialsAvailable", "False", "SecretMissing", name=name, seconds=SOON)
    assert "there is no Secret not-there" in said
    assert office.condition("Ready", name)["status"] == "False"
    assert not office.pods(name)
    office.kubectl("create", "secret", "generic", "not-there", "-n", NAMESPACE, f"--from-literal=api-key={KEY}")
    office.settles(name)


def test_a_wrong_key_is_told(office, another):
    office.kubectl("create", "secret", "generic", "forged", "-n", NAMESPACE, "--from-literal=api-key=sk-forged")
    model = {**asking(), "apiKeySecret": {"name": "forged", "key": "api-key"}}
    name = another("impostor", model=model)
    office.becomes("CredentialsAvailable", "False", "KeyRejected", name=name, seconds=SOON)
    office.becomes("Ready", "False", "KeyRejected", name=name, seconds=SOON)
    office.kubectl("delete", "secret", "forged", "-n", NAMESPACE)
    office.kubectl("create", "secret", "generic", "forged", "-n", NAMESPACE, f"--from-literal=api-key={KEY}")
    office.settles(name)


def test_an_image_that_is_not_there_is_named(office, another):
    name = another("imageless", pods={"image": "localhost/no-such-image:1"})
    said = office.becomes("Degraded", "True", "ImageUnavailable", name=name, seconds=SOON)
    assert "localhost/no-such-image:1" in said


def test_servers_that_nobody_reaches_are_named(office, another):
    broker = {"url": "amqp://somebody:a-password@127.0.0.1:1/place"}
    name = another("cut-off", broker=broker)
    said = office.becomes("Degraded", "True", "BrokerUnreachable", name=name, seconds=SOON)
    assert "127.0.0.1:1" in said
    assert "a-password" not in said
    assert not office.pods(name)


def test_a_quota_that_forbids_pods_is_told(office, kubectl):
    namespace = "cramped"
    kubectl("delete", "namespace", namespace, "--ignore-not-found", "--timeout=60s", seconds=70)
    kubectl("create", "namespace", namespace)
    try:
        kubectl("create", "quota", "none", "-n", namespace, "--hard=pods=0")
        manifest = company("stuck")
        manifest["metadata"]["namespace"] = namespace
        kubectl.apply(manifest)

        def said():
            found = kubectl.get("aicompany", "stuck", namespace).get("status", {}).get("conditions", ())
            return next((each["message"] for each in found if each["reason"] == "PodsForbidden"), "")

        assert "exceeded quota" in until(said, within_seconds=SOON)
        kubectl("delete", "quota", "none", "-n", namespace)
        until(
            lambda: "True" in kubectl("get", "aico", "stuck", "-n", namespace), within_seconds=120,
            what=lambda: kubectl("get", "aico,pods", "-n", namespace),
        )  # fmt: skip
    finally:
        kubectl("delete", "namespace", namespace, "--timeout=60s", seconds=70)


def test_what_is_somebody_elses_is_left_alone(office, another):
    config = {
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "squatter-company", "namespace": NAMESPACE},
        "data": {"mine": "yes"},
    }  # fmt: skip
    office.kubectl.apply(config)
    name = another("squatter")
    office.becomes("Degraded", "True", "NameTaken", name=name, seconds=SOON)
    assert office.kubectl.get("configmap", "squatter-company", NAMESPACE)["data"] == {"mine": "yes"}
    office.kubectl("delete", "configmap", "squatter-company", "-n", NAMESPACE)
    office.settles(name)
