"""A real API server takes the definition, fills in what pydantic fills in, and refuses with sentences."""

import json
import subprocess
from pathlib import Path

import pytest
import yaml
from tests.cluster.definition import establish
from tests.cluster.light import light_cluster

from aicompany.spec.company import CompanySpec
from aicompany_operator.crd.__main__ import FILE
from aicompany_operator.crd.rules import FIELD_RULES, NAME, RULES

ROOT = Path(__file__).parents[2]
DEFINITION = ROOT / "crds" / FILE
EXAMPLE = ROOT / "examples" / "company.yaml"


class Kubectl:
    """kubectl against one API server."""

    def __init__(self, kubeconfig):
        self._kubeconfig = kubeconfig

    def __call__(self, *words, given=None):
        done = self.tried(*words, given=given)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def tried(self, *words, given=None):
        return subprocess.run(
            ["kubectl", f"--kubeconfig={self._kubeconfig}", *words],
            input=None if given is None else json.dumps(given), capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip

    def stored(self, spec):
        """The specification as the API server would keep it."""
        shown = self("create", "--dry-run=server", "-o", "json", "-f", "-", given=company(spec=spec))
        return json.loads(shown)["spec"]

    def refusal(self, document):
        """What it says to a document that it must not take."""
        done = self.tried("create", "--dry-run=server", "-f", "-", given=document)
        assert done.returncode != 0, done.stdout
        return done.stderr


@pytest.fixture(scope="module")
def kubectl():
    with light_cluster() as cluster:
        tool = Kubectl(cluster.kubeconfig)
        establish(tool, DEFINITION)
        yield tool


def company(name="trial", **parts):
    return {"apiVersion": "aicompany.io/v1alpha1", "kind": "AICompany", "metadata": {"name": name}, **parts}


def test_the_definition_is_accepted_without_a_condition_against_it(kubectl):
    (definition,) = json.loads(kubectl("get", "crd", "-o", "json"))["items"]
    conditions = {condition["type"]: condition["status"] for condition in definition["status"]["conditions"]}
    assert conditions["NamesAccepted"] == conditions["Established"] == "True"
    assert conditions.get("NonStructuralSchema", "False") == "False"


def test_the_example_can_be_applied(kubectl):
    kubectl("apply", "-f", str(EXAMPLE))
    stored = json.loads(kubectl("get", "aico", "acme", "-o", "json"))["spec"]
    given = yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))["spec"]
    assert CompanySpec.model_validate(stored) == CompanySpec.model_validate(given)


PARTS = (
    {},
    {"workers": {}},
    {"workers": {"pm": {}, "result": {"max": 1}}},
    {"workers": {"pm": {"min": 2}}},
    {"breakers": {"model": {"trialsMax": 2}, "store": {}}},
    {"scaling": {"queuePerWorker": 20}},
    {"scaling": {"queuePerWorkerMax": 4}},
    {"agents": [{"name": "only", "fallback": True, "workers": {"min": 2}}, {"name": "other", "model": "m"}]},
    {"pods": {"worker": {"cpuLimit": "2"}, "tolerations": [{"key": "gpu", "value": "a"}, {"operator": "Exists"}]}},
    {"broker": {"url": "amqp://u:p%2Fw@one:5672,two:5673/v"}, "store": {"urlSecret": {"name": "s", "key": "k"}}},
    {"overload": {"leaveShare": 0, "refusedShare": 1}, "paused": True},
)


@pytest.mark.parametrize("part", PARTS, ids=json.dumps)
def test_a_part_gets_the_defaults_that_pydantic_gives(kubectl, part):
    assert CompanySpec.model_validate(kubectl.stored(part)) == CompanySpec.model_validate(part)


def test_no_spec_at_all_is_a_whole_company(kubectl):
    shown = kubectl("create", "--dry-run=server", "-o", "json", "-f", "-", given=company())
    assert CompanySpec.model_validate(json.loads(shown)["spec"]) == CompanySpec()


def test_null_is_as_if_the_line_were_not_there(kubectl):
    part = {"broker": {"url": None}, "model": {"baseUrl": None}}
    assert CompanySpec.model_validate(kubectl.stored(part)) == CompanySpec.model_validate(part)


KEY = {"name": "secret", "key": "key"}
REFUSED = (
    {"agents": [{"name": "one"}]},
    {"agents": [{"name": "one", "fallback": True}, {"name": "two", "fallback": True}]},
    {"workers": {"task": {"min": 6}}},
    {"workers": {"dialog": {"min": 3, "max": 2}}},
    {"agents": [{"name": "one", "fallback": True, "workers": {"min": 2, "max": 1}}]},
    {"scaling": {"queuePerWorker": 9, "queuePerWorkerMax": 8}},
    {"scaling": {"queuePerWorkerMax": 2}},
    {"model": {"apiKeyFile": "key", "apiKeySecret": KEY}},
    {"broker": {"url": "amqp://h", "urlSecret": KEY}},
    {"store": {"url": "postgresql://h/d", "urlSecret": KEY}},
    {"cache": {"url": "redis://h", "urlSecret": KEY}},
    {"gateway": {"tokenFile": "token", "tokenSecret": KEY}},
    {"pods": {"tolerations": [{}]}},
    {"pods": {"tolerations": [{"key": "gpu", "operator": "Exists", "value": "a"}]}},
    {"broker": {"url": "http://h"}},
    {"store": {"url": "amqp://h"}},
    {"cache": {"url": "amqp://h"}},
    {"broker": {"url": "amqp://u:p/w@h"}},
    {"broker": {"url": "amqp://h:65536"}},
    {"model": {"baseUrl": "http://gateway:80800"}},
    {"model": {"baseUrl": "http://[bad"}},
    {"model": {"baseUrl": "gateway:8080"}},
)
MESSAGES = {rule.message for rules in (*RULES.values(), *FIELD_RULES.values()) for rule in rules}


@pytest.mark.parametrize("part", REFUSED, ids=json.dumps)
def test_what_pydantic_refuses_is_refused_with_a_sentence(kubectl, part):
    with pytest.raises(ValueError, match="validation error"):
        CompanySpec.model_validate(part)
    said = kubectl.refusal(company(spec=part))
    assert any(message in said for message in MESSAGES), said
    assert f"spec.{next(iter(part))}" in said or "spec: " in said


def test_every_rule_has_been_broken(kubectl):
    said = "\n".join(kubectl.refusal(company(spec=part)) for part in REFUSED)
    assert {message for message in MESSAGES if message not in said} == set()


def test_two_agents_of_one_name_are_refused(kubectl):
    agents = [{"name": "one", "fallback": True}, {"name": "one"}]
    assert 'spec.agents[1]: Duplicate value: {"name":"one"}' in kubectl.refusal(company(spec={"agents": agents}))


def test_a_name_that_leaves_no_room_for_the_pods_is_refused(kubectl):
    kubectl("create", "--dry-run=server", "-f", "-", given=company(name="a" * 53))
    assert NAME.message in kubectl.refusal(company(name="a" * 54))
    assert NAME.message in kubectl.refusal(company(name="a.b"))


def test_a_password_is_never_repeated(kubectl):
    for url in ("amqp://u:hush/@h", "http://u:hush@h", "amqp://u:hush@h:70000", f"amqp://u:hush@{'h' * 2000}"):
        assert "hush" not in kubectl.refusal(company(spec={"broker": {"url": url}}))


def test_an_unknown_field_is_refused(kubectl):
    assert 'unknown field "spec.worker"' in kubectl.refusal(company(spec={"worker": {}}))


def test_explain_reads_well(kubectl):
    said = " ".join(kubectl("explain", "aicompany.spec.scaling").split())
    assert "More and fewer workers." in said
    assert "queuePerWorkerMax <integer> The threshold rises up to this" in said
    assert "Between two looks. Default: 5." in said


STATUS = {
    "observedGeneration": 1,
    "conditions": [
        {"type": "Ready", "status": "True", "reason": "AllReady", "message": "gateway and workers are ready",
         "observedGeneration": 1, "lastTransitionTime": "2026-01-02T03:04:05Z"},
    ],
    "groups": [
        {"name": "task.writer", "role": "task", "agent": "writer", "desired": 1, "ready": 1, "queued": 12,
         "lastDecision": {"at": "2026-01-02T03:04:05Z", "what": "hold", "why": "nothing waits"}},
    ],
    "workers": "5/5", "queued": "12", "track": "stable", "image": "aicompany:1", "gateway": "http://acme-gateway:8700",
    "broker": "aicompany.default.acme", "store": "external",
    "remedies": [{"at": "2026-01-02T03:04:05Z", "fault": "f", "action": "a", "outcome": "o"}],
}  # fmt: skip


@pytest.fixture
def shown(kubectl):
    kubectl("apply", "-f", "-", given=company(name="shown"))
    patch = json.dumps({"status": STATUS})
    kubectl("patch", "aico", "shown", "--subresource=status", "--type=merge", "-p", patch)
    yield "shown"
    kubectl("delete", "aico", "shown")


def test_nothing_of_the_status_is_dropped(kubectl, shown):
    assert json.loads(kubectl("get", "aico", shown, "-o", "json"))["status"] == STATUS


def test_get_shows_the_columns(kubectl, shown):
    header, row = kubectl("get", "aico", shown).splitlines()
    assert header.split() == ["NAME", "READY", "WORKERS", "QUEUED", "TRACK", "AGE"]
    assert row.split()[:5] == ["shown", "True", "5/5", "12", "stable"]
    header, row = kubectl("get", "aico", shown, "-o", "wide").splitlines()
    assert header.split() == ["NAME", "READY", "WORKERS", "QUEUED", "TRACK", "AGE", "REASON", "IMAGE"]
    assert row.split()[-2:] == ["AllReady", "aicompany:1"]


def test_get_all_shows_companies(kubectl, shown):
    assert "aicompany.aicompany.io/shown" in kubectl("get", "all", "-o", "name")


def test_a_status_that_says_neither_yes_nor_no_is_refused(kubectl, shown):
    wrong = {"status": {"conditions": [STATUS["conditions"][0] | {"status": "Perhaps"}]}}
    done = kubectl.tried("patch", "aico", shown, "--subresource=status", "--type=merge", "-p", json.dumps(wrong))
    assert 'supported values: "True", "False", "Unknown"' in done.stderr


def test_appliers_own_agents_and_not_the_list(kubectl, shown):
    # The company was made without agents: the one it has by default must not stay beside those that are named.
    first = company(name=shown, spec={"agents": [{"name": "writer", "fallback": True}]})
    second = company(name=shown, spec={"agents": [{"name": "reader"}]})
    kubectl("apply", "--server-side", "--field-manager=one", "-f", "-", given=first)
    kubectl("apply", "--server-side", "--field-manager=two", "-f", "-", given=second)
    stored = json.loads(kubectl("get", "aico", shown, "-o", "json"))["spec"]["agents"]
    assert [agent["name"] for agent in stored] == ["writer", "reader"]
