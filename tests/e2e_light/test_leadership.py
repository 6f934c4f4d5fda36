"""Several operators, one of which acts."""

import os
import signal

import pytest
from tests.e2e_light.kube import company
from tests.e2e_light.operators import Operator
from tests.e2e_light.waits import become, ready

LEASE_SECONDS = 4


@pytest.fixture
def started(light, lease, tmp_path):
    """Starts operators that share a Lease; all are gone afterwards."""
    running = []

    def start(identity):
        operator = Operator(light, tmp_path, lease=lease, identity=identity, lease_seconds=LEASE_SECONDS)
        running.append(operator)
        return operator

    yield start
    for operator in running:
        operator.kill()


def holder(kubectl, lease):
    return kubectl("-n", lease, "get", "lease", "aicompany-operator", "-o", "jsonpath={.spec.holderIdentity}")


def looked(operator):
    return operator.total("aicompany_operator_reconciles_total")


async def test_one_acts_and_after_its_death_the_other(home, kubectl, lease, started):
    first = started("first")
    await become(first.is_leading)
    second = started("second")
    await become(lambda: second.ask("/ready"))
    home.apply(company())
    await ready(home)
    assert holder(kubectl, lease) == "first"
    assert looked(second) == 0
    assert not second.is_leading()
    told = home.events("acme")
    first.kill()
    await become(second.is_leading, within_seconds=LEASE_SECONDS * 4)
    home("delete", "svc", "acme-gateway")
    await become(lambda: home.get("svc", "acme-gateway"), within_seconds=30)
    assert home.events("acme") == told


async def test_one_that_is_told_to_end_gives_the_lease_back(home, kubectl, lease, started):
    first = started("first")
    await become(first.is_leading)
    home.apply(company())
    await ready(home)
    assert first.end() == 0
    assert holder(kubectl, lease) == ""


async def test_after_the_api_server_stood_still_work_goes_on_and_nothing_is_done_twice(light, home, started):
    operator = started("only")
    await become(operator.is_leading)
    home.apply(company())
    await ready(home)
    told = home.events("acme")
    before = {d["metadata"]["name"]: d["metadata"]["generation"] for d in home.all("deploy")}
    server = int((light.plane.place / "apiserver.pid").read_text())
    os.kill(server, signal.SIGSTOP)
    try:
        await become(lambda: not operator.is_leading(), within_seconds=30)
        assert operator.ask("/health")[0] == 200
    finally:
        os.kill(server, signal.SIGCONT)
    await become(operator.is_leading, within_seconds=75)
    home("delete", "svc", "acme-gateway")
    await become(lambda: home.get("svc", "acme-gateway"), within_seconds=75)
    await ready(home)
    assert home.events("acme") == told
    assert {d["metadata"]["name"]: d["metadata"]["generation"] for d in home.all("deploy")} == before
