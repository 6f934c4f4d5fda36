"""`aicompany …` finds a company in the cluster and goes through the API server to its gateway."""

import json
import sys

import pytest
from tests.integration.desk_cluster.api_server import COMPANIES
from tests.integration.desk_cluster.conftest import TOKEN, company_there, secret, service_of

from aicompany_operator.builders.credentials import credentials_name
from aicompany_operator.names import CompanyRef

NOT_RUNNING = 5


def test_an_order_is_handed_in_followed_and_answered(alice, cluster):
    done = alice.aicompany("order", "write a haiku", "--company", "acme", "--wait", "-o", "json")
    assert done.returncode == 0, done.stderr
    task = json.loads(done.stdout)
    assert task["state"] == "completed"
    assert task["result"]
    # Progress came as a stream, through the proxy.
    assert "plan: 1 phase, 1 step" in done.stderr
    paths = [path for user, _, path in cluster.seen if user == "alice"]
    assert any(path.endswith(f"/services/http:acme-gateway:8700/proxy/v1/tasks/{task['id']}/events") for path in paths)


def test_other_commands_reach_it_too(alice):
    accepted = json.loads(alice.aicompany("order", "one", "-o", "json").stdout)
    shown = alice.aicompany("task", accepted["id"], "--company", "acme", "-o", "json")
    assert json.loads(shown.stdout)["id"] == accepted["id"]
    listed = json.loads(alice.aicompany("tasks", "--company", "acme", "-o", "json").stdout)
    assert accepted["id"] in [task["id"] for task in listed]
    assert json.loads(alice.aicompany("status", "-o", "json").stdout)["company"] == "acme"
    assert alice.aicompany("dead", "list").returncode == 0
    missing = alice.aicompany("cancel", "nobody-knows-it")
    assert (missing.returncode, "there is no task nobody-knows-it" in missing.stderr) == (4, True)


def test_a_bearer_token_is_for_the_api_server_and_never_for_the_gateway(cluster, with_user):
    cluster.tokens["for-the-api-server"] = "bob"
    bob = with_user({"token": "for-the-api-server"})
    assert bob.aicompany("tasks").returncode == 0
    assert {user for user, _, _ in cluster.seen} == {"bob"}


def test_an_exec_plugin_logs_in(cluster, with_user):
    cluster.tokens["of-the-plugin"] = "carol"
    credential = {"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
                  "status": {"token": "of-the-plugin"}}  # fmt: skip
    carol = with_user(
        {
            "exec": {
                "apiVersion": "client.authentication.k8s.io/v1",
                "command": sys.executable,
                "args": ["-c", f"print({json.dumps(credential)!r})"],
                "interactiveMode": "Never",
            }
        }
    )
    done = carol.aicompany("tasks")
    assert done.returncode == 0, done.stderr
    assert {user for user, _, _ in cluster.seen} == {"carol"}


def test_who_is_not_known_is_told_to_log_in(with_user):
    done = with_user({"token": "expired"}).aicompany("tasks")
    assert (done.returncode, "log in again" in done.stderr) == (NOT_RUNNING, True), done.stderr


def test_another_authoritys_server_is_not_believed(alice, pki):
    config = alice.kubeconfig.read_text()
    other = type(pki)(alice.home / "other-pki")
    other.found()
    theirs = other._encoded("ca.crt")
    alice.kubeconfig.write_text(config.replace(pki._encoded("ca.crt"), theirs))
    done = alice.aicompany("tasks")
    assert (done.returncode, "does not answer" in done.stderr) == (NOT_RUNNING, True), done.stderr


def test_the_token_comes_from_the_named_secret(alice, cluster):
    cluster.add(COMPANIES, company_there(gateway={"tokenSecret": {"name": "mine", "key": "door"}}))
    cluster.add("secrets", secret("mine", door=TOKEN))
    del cluster.objects["secrets", "default", "acme-credentials"]
    assert alice.aicompany("tasks").returncode == 0


def test_a_long_name_has_its_secret_under_the_name_the_operator_gives(alice, cluster, gateway):
    name = "a-company-whose-name-is-about-as-long-as-it-may-be"
    cluster.add(COMPANIES, company_there(name))
    cluster.add("services", service_of(name))
    cluster.add("secrets", secret(credentials_name(CompanyRef("default", name, "uid")), token=TOKEN))
    cluster.backends[f"default/{name}-gateway"] = gateway
    done = alice.aicompany("tasks", "--company", name)
    assert done.returncode == 0, done.stderr


def test_who_may_not_read_the_secret_is_told_of_the_variable_and_can_use_it(alice, cluster):
    cluster.forbidden.add(("alice", "get", "secrets"))
    done = alice.aicompany("tasks")
    assert done.returncode == NOT_RUNNING
    assert "AICOMPANY_TOKEN" in done.stderr
    assert "default/acme-credentials" in done.stderr
    assert alice.aicompany("tasks", AICOMPANY_TOKEN=TOKEN).returncode == 0


def test_a_wrong_token_is_refused_by_the_gateway(alice):
    done = alice.aicompany("tasks", AICOMPANY_TOKEN="wrong")
    assert (done.returncode, "the token shown is not the one" in done.stderr) == (9, True)


@pytest.mark.parametrize(
    ("verb", "resource"), [("get", "aicompanies"), ("list", "services"), ("get", "services/proxy")]
)
def test_what_is_forbidden_is_named(alice, cluster, verb, resource):
    cluster.forbidden.add(("alice", verb, resource))
    done = alice.aicompany("tasks", "--company", "acme")
    assert done.returncode != 0
    assert f'cannot {verb} resource "{resource}"' in done.stderr


def test_no_company_here_nor_there(alice):
    done = alice.aicompany("order", "x", "--company", "nosuch")
    assert done.returncode == NOT_RUNNING
    assert "there is no company in" in done.stderr
    assert "there is no company nosuch in the cluster" in done.stderr
    assert "default/acme" in done.stderr


def test_a_cluster_without_the_operators_crd_says_so(alice, cluster):
    cluster.knows_companies = False
    done = alice.aicompany("tasks", "--company", "acme")
    assert (done.returncode, "knows no companies" in done.stderr) == (NOT_RUNNING, True), done.stderr


def test_several_of_a_name_are_listed_and_the_namespace_decides(alice, cluster, gateway):
    del cluster.objects[COMPANIES, "default", "acme"]
    for namespace in ("blue", "red"):
        cluster.add(COMPANIES, company_there(namespace=namespace))
        cluster.add("services", service_of(namespace=namespace))
        cluster.add("secrets", secret("acme-credentials", namespace, token=TOKEN))
    cluster.backends["red/acme-gateway"] = gateway
    done = alice.aicompany("tasks", "--company", "acme")
    assert (done.returncode, "blue/acme, red/acme" in done.stderr) == (NOT_RUNNING, True)
    assert alice.aicompany("tasks", "--company", "acme", "-n", "red").returncode == 0


def test_a_namespace_that_was_named_is_not_left(alice):
    done = alice.aicompany("tasks", "--company", "acme", "-n", "elsewhere")
    assert (done.returncode, "no company acme in namespace elsewhere of" in done.stderr) == (NOT_RUNNING, True)


def test_a_company_without_ready_gateway_says_its_ready_condition(alice, cluster):
    company = cluster.objects[COMPANIES, "default", "acme"]
    company["status"]["conditions"][0] |= {"status": "False", "message": "not ready yet: gateway 0/1"}
    cluster.backends.clear()
    done = alice.aicompany("order", "x", "--company", "acme")
    assert (done.returncode, "not ready yet: gateway 0/1" in done.stderr) == (NOT_RUNNING, True), done.stderr
    company["spec"]["paused"] = True
    assert "kubectl aicompany resume acme" in alice.aicompany("order", "x", "--company", "acme").stderr


def test_a_hibernated_company_says_how_to_wake_it(alice, cluster):
    cluster.objects[COMPANIES, "default", "acme"]["spec"]["hibernated"] = True
    done = alice.aicompany("order", "x")
    assert (done.returncode, "kubectl aicompany wake acme" in done.stderr) == (NOT_RUNNING, True)


def test_an_api_server_that_is_away(alice):
    config = alice.kubeconfig.read_text()
    port = config.split("127.0.0.1:")[1].split()[0].strip("'\"")
    alice.kubeconfig.write_text(config.replace(f":{port}", ":1"))
    done = alice.aicompany("order", "x")
    assert (done.returncode, "https://127.0.0.1:1 does not answer" in done.stderr) == (NOT_RUNNING, True)


@pytest.mark.parametrize("text", ["", "[]", "{", "clusters: 3", "current-context: gone"])
def test_a_broken_kubeconfig_is_a_sentence(alice, text):
    alice.kubeconfig.write_text(text)
    done = alice.aicompany("tasks")
    assert (done.returncode, "kubeconfig" in done.stderr) == (NOT_RUNNING, True), done.stderr


def test_a_context_that_is_not_there_is_a_sentence(alice):
    done = alice.aicompany("tasks", "--context", "nosuch")
    assert (done.returncode, "nosuch" in done.stderr) == (NOT_RUNNING, True), done.stderr


def test_an_address_wins_over_the_cluster(alice, cluster, gateway):
    assert alice.aicompany("tasks", "--url", gateway, AICOMPANY_TOKEN=TOKEN).returncode == 0
    assert cluster.seen == []


def test_without_the_client_package_the_way_to_it_is_told(alice):
    # A package that is not installed looks like this to whoever imports it.
    blocker = alice.home / "without" / "kubernetes"
    blocker.mkdir(parents=True)
    (blocker / "__init__.py").write_text("raise ModuleNotFoundError('No module named kubernetes')\n")
    done = alice.aicompany("tasks", PYTHONPATH=str(blocker.parent))
    assert (done.returncode, "pip install '.[kubernetes]'" in done.stderr) == (NOT_RUNNING, True)


def test_a_stopped_company_here_is_not_exchanged_for_another_there(alice, cluster):
    state = alice.home / ".local" / "state" / "aicompany" / "mine"
    state.mkdir(parents=True)
    (state / "gateway.json").write_text("{}")
    done = alice.aicompany("order", "for mine alone")
    assert done.returncode == NOT_RUNNING
    assert not [path for _, method, path in cluster.seen if method == "POST"]
