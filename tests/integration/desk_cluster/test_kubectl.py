"""`kubectl aicompany …` before an API server: what it shows, what it changes, what it never tells."""

import json
import subprocess

import pytest
import yaml
from tests.integration.desk_cluster.api_server import COMPANIES
from tests.integration.desk_cluster.conftest import TOKEN, company_there, pod


@pytest.fixture
def company(cluster):
    return cluster.objects[COMPANIES, "default", "acme"]


@pytest.fixture
def pods(cluster):
    for manifest, lines in [
        (pod("acme-pm-1", "pm"), ("pm one", "pm two", "pm three")),
        (pod("acme-task-generalist-1", "task", "generalist"), ("task one",)),
    ]:
        cluster.add("pods", manifest)
        cluster.logs[manifest["metadata"]["name"]] = lines


def test_status_shows_conditions_groups_decisions_and_events(alice, cluster):
    event = {
        "metadata": {"name": "acme.1", "namespace": "default", "creationTimestamp": "2026-01-02T03:04:05Z"},
        "involvedObject": {"kind": "AICompany", "name": "acme", "uid": "uid-default-acme"},
        "type": "Normal", "reason": "AllReady", "message": "Ready is True",
    }  # fmt: skip
    cluster.add("events", event)
    other = {**event, "metadata": {**event["metadata"], "name": "other.1"}, "message": "of another company"}
    cluster.add("events", {**other, "involvedObject": {"uid": "uid-default-other"}})
    shown = alice.kubectl("status", "acme")
    assert shown.returncode == 0, shown.stderr
    for words in ("default/acme", "AllReady", "task.generalist", "0/2", "1 -> 2", "aicompany:1.2.3", "Ready is True"):
        assert words in shown.stdout
    assert "of another company" not in shown.stdout
    as_json = json.loads(alice.kubectl("status", "acme", "-o", "json").stdout)
    assert as_json == yaml.safe_load(alice.kubectl("status", "acme", "-o", "yaml").stdout)
    assert [each["message"] for each in as_json["events"]] == ["Ready is True"]


def test_status_of_a_company_nobody_has_looked_at(alice, company):
    del company["status"]
    shown = alice.kubectl("status", "acme")
    assert (shown.returncode, "has not looked at it yet" in shown.stdout) == (0, True), shown.stderr


def test_status_without_the_right_to_read_events_shows_the_rest_and_says_so(alice, cluster):
    cluster.forbidden.add(("alice", "list", "events"))
    shown = alice.kubectl("status", "acme")
    assert (shown.returncode, "AllReady" in shown.stdout) == (0, True), shown.stderr
    assert 'cannot list resource "events"' in shown.stdout


@pytest.mark.parametrize(
    ("word", "field", "value"),
    [("pause", "paused", True), ("resume", "paused", False), ("hibernate", "hibernated", True),
     ("wake", "hibernated", False)],
)  # fmt: skip
def test_a_word_sets_its_field_and_no_other(alice, company, word, field, value):
    company["spec"] |= {"paused": not value, "hibernated": not value, "model": {"provider": "offline"}}
    before = dict(company["spec"])
    done = alice.kubectl(word, "acme")
    assert (done.returncode, "default/acme" in done.stdout) == (0, True), done.stderr
    assert company["spec"] == {**before, field: value}


def test_a_company_in_another_namespace_is_not_changed(alice, cluster, company):
    there = company_there(namespace="staging", paused=False)
    cluster.add(COMPANIES, there)
    del cluster.objects[COMPANIES, "default", "acme"]
    done = alice.kubectl("pause", "acme")
    assert done.returncode == 5
    assert "staging/acme" in done.stderr
    assert there["spec"]["paused"] is False
    assert alice.kubectl("pause", "acme", "-n", "staging").returncode == 0
    assert there["spec"]["paused"] is True


def test_who_may_not_patch_is_told_so(alice, cluster, company):
    cluster.forbidden.add(("alice", "patch", "aicompanies"))
    done = alice.kubectl("pause", "acme")
    assert done.returncode != 0
    assert 'cannot patch resource "aicompanies"' in done.stderr
    assert "paused" not in company["spec"]


def test_explain_tells_the_end_of_a_task_and_its_history(alice):
    done = alice.aicompany("order", "write a haiku", "--wait", "-o", "json")
    task = json.loads(done.stdout)
    shown = alice.kubectl("explain", "acme", task["id"])
    assert (shown.returncode, "It completed at" in shown.stdout) == (0, True), shown.stderr
    assert "task_completed" in shown.stdout
    assert json.loads(alice.kubectl("explain", "acme", task["id"], "-o", "json").stdout)["task"]["id"] == task["id"]
    assert alice.kubectl("explain", "acme", "nobody-knows-it").returncode == 4


def test_logs_are_each_pods_lines_after_its_name(alice, pods):
    shown = alice.kubectl("logs", "acme", "--tail", "2")
    assert shown.returncode == 0, shown.stderr
    lines = shown.stdout.splitlines()
    assert [line for line in lines if "acme-pm-1" in line] == ["acme-pm-1  pm two", "acme-pm-1  pm three"]
    assert "acme-task-generalist-1  task one" in lines
    assert "pm" not in alice.kubectl("logs", "acme", "--role", "task").stdout.replace("acme-pm", "pm")
    assert "task one" in alice.kubectl("logs", "acme", "--agent", "generalist").stdout
    assert alice.kubectl("logs", "acme", "--agent", "nobody").returncode == 4


def test_a_pod_that_has_not_started_hides_no_other(alice, cluster, pods):
    cluster.add("pods", pod("acme-result-1", "result"))
    cluster.logs["acme-result-1"] = None
    shown = alice.kubectl("logs", "acme")
    assert (shown.returncode, "pm three" in shown.stdout) == (0, True), shown.stderr
    assert "acme-result-1" in shown.stderr
    assert "waiting to start" in shown.stderr


def test_who_may_not_read_logs_is_told_so(alice, cluster, pods):
    cluster.forbidden.add(("alice", "get", "pods/log"))
    shown = alice.kubectl("logs", "acme")
    assert shown.returncode != 0
    assert 'cannot get resource "pods/log"' in shown.stderr


def test_following_goes_on_until_its_reader_leaves(alice, pods):
    process = subprocess.Popen(
        alice.words("kubectl", "logs", "acme", "--follow"), env=alice.environment, cwd=alice.home, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        lines = {process.stdout.readline().strip() for _ in range(4)}
        assert {"acme-pm-1  pm one", "acme-task-generalist-1  task one"} <= lines
        assert process.poll() is None
        process.send_signal(2)
        _, told = process.communicate(timeout=30)
        assert (process.returncode, told.strip()) == (130, "interrupted")
    finally:
        process.kill()
        process.communicate()


def test_a_reader_that_leaves_early_is_no_mistake(alice, cluster, pods):
    cluster.logs["acme-pm-1"] = tuple(f"line {number} {'x' * 200}" for number in range(5000))
    process = subprocess.Popen(
        alice.words("kubectl", "logs", "acme", "--tail", "5000"), env=alice.environment, cwd=alice.home, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        process.stdout.readline()
        process.stdout.close()
        assert (process.wait(timeout=30), process.stderr.read()) == (0, "")
    finally:
        process.kill()
        process.stderr.close()
        process.wait()


def test_a_report_has_everything_but_secrets(alice, cluster, company):
    alice.aicompany("order", "write a haiku", "--wait")
    password = "hunter2-of-the-broker"
    company["spec"]["broker"] = {"url": f"amqp://acme:{password}@rabbit/acme"}
    company["status"]["conditions"][0]["message"] = f"cannot log in to amqp://acme:{password}@rabbit/acme"
    for output in ("table", "json", "yaml"):
        shown = alice.kubectl("report", "acme", "-o", output)
        assert shown.returncode == 0, shown.stderr
        assert TOKEN not in shown.stdout
        assert password not in shown.stdout
        assert "rabbit/acme" in shown.stdout
    data = json.loads(alice.kubectl("report", "acme", "-o", "json").stdout)
    assert data["work"]["performance"]["hours"] == 24
    assert data["work"]["performance"]["completed"] >= 1
    assert data["status"]["image"] == "aicompany:1.2.3"


def test_a_report_is_there_when_the_gateway_is_not(alice, cluster):
    cluster.backends.clear()
    shown = alice.kubectl("report", "acme")
    assert (shown.returncode, "what was done is not known" in shown.stdout) == (0, True), shown.stderr


def test_another_kubeconfig_can_be_named(alice):
    elsewhere = alice.kubeconfig.rename(alice.home / "elsewhere")
    assert alice.kubectl("status", "acme").returncode == 5
    assert alice.kubectl("status", "acme", "--kubeconfig", elsewhere, "--context", "here").returncode == 0


def test_the_namespace_is_the_contexts(alice, cluster):
    config = yaml.safe_load(alice.kubeconfig.read_text())
    config["contexts"][0]["context"]["namespace"] = "blue"
    del config["current-context"]
    alice.kubeconfig.write_text(yaml.safe_dump(config))
    for namespace in ("blue", "red"):
        cluster.add(COMPANIES, company_there("twin", namespace))
    shown = alice.kubectl("status", "twin", "--context", "here")
    assert (shown.returncode, "blue/twin" in shown.stdout) == (0, True), shown.stderr
