"""An order through the API server, RabbitMQ, PostgreSQL and the real workers, to its result."""

import base64
import json
import re

import pytest
from tests.e2e_cluster.commands import aicompany, kubectl_aicompany
from tests.e2e_cluster.conftest import COMPANY, KEY, SYSTEM
from tests.waiting import until

pytestmark = pytest.mark.timeout(3600)
ANSWER = "a fine answer"
"""What the tests' Messages API says."""


def test_an_order_is_carried_to_its_result(office, kubeconfig):
    done = aicompany(kubeconfig, "order", "Write a haiku about harbours", "--wait")
    assert done.returncode == 0, done.stderr
    assert ANSWER in done.stdout


def test_a_list_of_tasks_is_carried_out_by_several(office, kubeconfig):
    tasks = json.dumps(["Write a line about ropes", "Write a line about sails", "Count to three"])
    done = aicompany(kubeconfig, "order", tasks, "--wait")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(ANSWER) == 3


def test_why_a_task_is_where_it_is(office, kubeconfig):
    accepted = aicompany(kubeconfig, "order", "Write a line about knots", "-o", "json")
    task = json.loads(accepted.stdout)["id"]
    until(
        lambda: "It completed" in kubectl_aicompany(kubeconfig, "explain", COMPANY, task).stdout,
        within_seconds=30, every_seconds=1,
    )  # fmt: skip
    told = kubectl_aicompany(kubeconfig, "explain", COMPANY, task).stdout
    assert {"task_submitted", "model_answered", "task_completed"} <= set(told.split())


def test_the_company_is_told_as_kubectl_tells_things(office, kubectl, kubeconfig):
    def table():
        return kubectl("get", "aico", COMPANY, "-n", "offices")

    assert re.search(r"^NAME +READY +WORKERS +QUEUED +TRACK +AGE$", table(), re.MULTILINE)
    # The broker may have been away just before: a company that is well is looked at once a minute.
    until(
        lambda: re.search(rf"^{COMPANY} +True +6/6 +0 +stable ", table(), re.MULTILINE),
        within_seconds=90, every_seconds=1,
    )  # fmt: skip
    status = kubectl_aicompany(kubeconfig, "status", COMPANY).stdout
    assert "Ready" in status
    assert "task.writer" in status
    report = kubectl_aicompany(kubeconfig, "report", COMPANY)
    assert report.returncode == 0
    assert "model cost" in report.stdout
    logs = kubectl_aicompany(kubeconfig, "logs", COMPANY, "--role", "pm", "--tail", "5")
    assert "order.completed" in logs.stdout


def test_no_secret_is_told_anywhere(office, kubectl, kubeconfig):
    secret = kubectl.get("secret", f"{COMPANY}-credentials", "offices")
    values = [KEY, *(_plain(value) for value in secret["data"].values())]
    passwords = [value for value in values if not value.startswith(("amqp", "postgresql"))]
    told = [
        kubectl("logs", "deployment/aicompany-operator", "-n", SYSTEM, "--tail=-1"),
        kubectl("get", "aicompany,events", "-n", "offices", "-o", "yaml"),
        kubectl(
            "get", "configmaps,deployments", "-n", "offices", "-l", f"aicompany.io/company={COMPANY}", "-o", "yaml"
        ),
        kubectl_aicompany(kubeconfig, "report", COMPANY, "-o", "json").stdout,
        kubectl_aicompany(kubeconfig, "logs", COMPANY, "--tail", "1000").stdout,
    ]
    assert len(passwords) == 4
    assert not [password for password in passwords for text in told if password in text]


def _plain(packed):
    return base64.b64decode(packed).decode()
