"""One company cannot read another's queues, rows or secrets, nor the cluster's."""

import pytest
from tests.cluster.commands import CommandFailed
from tests.e2e_cluster.conftest import NAMESPACE
from tests.waiting import until

pytestmark = pytest.mark.timeout(3600)

BROKER = """
import os, pika
own = os.environ["AICOMPANY_BROKER__URL"]
pika.BlockingConnection(pika.URLParameters(own)).close()
print("own place: open")
try:
    pika.BlockingConnection(pika.URLParameters(own.rpartition("/")[0] + "/{other}"))
except Exception as error:
    print("other place:", type(error).__name__)
"""
STORE = """
import os, psycopg
own = os.environ["AICOMPANY_STORE__URL"]
psycopg.connect(own).close()
print("own place: open")
try:
    psycopg.connect(own.rpartition("/")[0] + "/{other}")
except Exception as error:
    print("other place:", type(error).__name__)
"""
NETWORK = """
import os, socket, urllib.parse
broker = urllib.parse.urlsplit(os.environ["AICOMPANY_BROKER__URL"])
for address in ((broker.hostname, broker.port), ("{address}", 8701)):
    try:
        socket.create_connection(address, timeout=3).close()
        print("open")
    except OSError:
        print("closed")
"""


@pytest.fixture
def other(office, another):
    name = another("beta")
    office.settles(name)
    return name


def in_pod(office, script):
    return office.kubectl("exec", "deployment/acme-pm", "-n", NAMESPACE, "--", "python", "-c", script)


def test_queues_and_rows_of_another_company_are_closed(office, other):
    broker = in_pod(office, BROKER.format(other=f"aicompany.{NAMESPACE}.{other}"))
    store = in_pod(office, STORE.format(other=office.company(other)["status"]["store"]))
    assert broker.splitlines()[0] == store.splitlines()[0] == "own place: open"
    assert "ProbableAccessDeniedError" in broker or "ConnectionClosedByBroker" in broker
    assert "OperationalError" in store


def test_a_pod_has_no_login_to_the_cluster(office):
    with pytest.raises(CommandFailed, match="No such file"):
        office.kubectl("exec", "deployment/acme-pm", "-n", NAMESPACE, "--", "ls", "/var/run/secrets/kubernetes.io")
    account = f"system:serviceaccount:{NAMESPACE}:acme-worker"
    with pytest.raises(CommandFailed, match=r"(?m)^no$"):
        office.kubectl("auth", "can-i", "get", "secrets", "-n", NAMESPACE, f"--as={account}")


def test_a_pod_cannot_write_where_it_should_not(office):
    with pytest.raises(CommandFailed, match="Read-only file system"):
        # Anybody could write there, and it is no mount.
        office.kubectl("exec", "deployment/acme-pm", "-n", NAMESPACE, "--", "touch", "/var/tmp/mine")
    told = in_pod(office, "import os; print(os.getuid())")
    assert told.strip() == "10001"


def test_pods_are_closed_to_each_other(office, cluster, other):
    if not cluster.enforces_network_policies:
        reason = f"the network of the cluster ({cluster.name}) enforces no policies"
        pytest.skip(str(reason))
    pod = next(pod for pod in office.pods(other, role="pm"))
    script = NETWORK.format(address=pod["status"]["podIP"])
    until(lambda: in_pod(office, script).split() == ["open", "closed"], within_seconds=30)
