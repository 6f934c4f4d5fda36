"""Pause and hibernation, by the words of the plug-in."""

import pytest
from tests.e2e_cluster.commands import kubectl_aicompany
from tests.e2e_cluster.conftest import NAMESPACE
from tests.waiting import until

pytestmark = pytest.mark.timeout(3600)


def test_a_paused_company_is_not_touched(office, another, kubeconfig):
    name = another("resting")
    office.settles(name)
    assert kubectl_aicompany(kubeconfig, "pause", name).returncode == 0
    office.becomes("Paused", "True", name=name)
    office.kubectl("delete", "service", f"{name}-workers", "-n", NAMESPACE)
    # Something that the operator sees after that deletion, and answers in its status without touching the rest.
    kill = ("delete", "pod", "-n", NAMESPACE, *office.ready_pods(name, role="pm"), "--grace-period=0", "--force")
    office.kubectl(*kill)
    office.becomes("Ready", "False", name=name)
    office.becomes("Ready", "True", name=name)
    assert office.kubectl.get("service", f"{name}-workers", NAMESPACE) is None
    assert kubectl_aicompany(kubeconfig, "resume", name).returncode == 0
    until(lambda: office.kubectl.get("service", f"{name}-workers", NAMESPACE), within_seconds=15)
    office.becomes("Paused", "False", name=name)


def test_a_hibernated_company_has_no_pods_and_wakes(office, another, kubeconfig):
    name = another("sleeping")
    office.settles(name)
    assert kubectl_aicompany(kubeconfig, "hibernate", name).returncode == 0
    office.becomes("Hibernated", "True", name=name)
    assert not office.pods(name)
    assert office.condition("Ready", name)["reason"] == "Hibernated"
    assert kubectl_aicompany(kubeconfig, "wake", name).returncode == 0
    office.settles(name)
