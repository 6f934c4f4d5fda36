"""The Compose example, as far as it can be checked without Docker."""

import json
import re
from pathlib import Path

import click
import pytest
import yaml
from prometheus_client import CollectorRegistry

from aicompany.ports.cluster import groups_of_company
from aicompany_desk.cli.main import cli
from aicompany_desk.company_file import load_company
from aicompany_workers.telemetry.metrics import WorkerMetrics

ROOT = Path(__file__).parents[2]
PLACE = ROOT / "examples" / "compose"
SERVICES = yaml.safe_load((PLACE / "compose.yaml").read_text())["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"] == "aicompany:local"}
FROM_ENVIRONMENT = {
    "AICOMPANY_BROKER__URL": "amqp://rabbitmq", "AICOMPANY_STORE__URL": "postgresql://postgres/company",
    "AICOMPANY_CACHE__URL": "redis://valkey",
}  # fmt: skip


def parsed(command):
    """The command line as the real command reads it, without running it."""
    subcommand = cli.get_command(click.Context(cli), command[0])
    assert subcommand is not None
    return subcommand.make_context(command[0], list(command[1:])).params


@pytest.mark.parametrize("name", OURS)
def test_each_command_is_one_of_ours(name):
    parameters = parsed(OURS[name]["command"])
    assert parameters["company_file"] == Path("/etc/aicompany/company.yaml")


def test_every_group_of_the_company_has_a_worker():
    company = load_company(PLACE / "company.yaml", FROM_ENVIRONMENT)
    workers = [parsed(service["command"]) for service in OURS.values() if service["command"][0] == "worker"]
    groups = {(group.role, group.agent) for group in groups_of_company(company.spec)}
    assert {(worker["role"], worker["agent"]) for worker in workers} == groups


def test_the_environment_names_the_servers():
    for service in OURS.values():
        assert set(FROM_ENVIRONMENT) <= set(service["environment"])


@pytest.mark.parametrize("name", SERVICES)
def test_each_service_is_bounded_pinned_and_on_loopback(name):
    service = SERVICES[name]
    assert re.fullmatch(r"[a-z/]+:[\w.]+", service["image"])
    assert not service["image"].endswith(":latest")
    assert service["mem_limit"]
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
    for other, condition in service.get("depends_on", {}).items():
        ends = SERVICES[other]["command"][0] == "migrate" if "command" in SERVICES[other] else False
        wanted = "service_completed_successfully" if ends else "service_healthy"
        assert condition == {"condition": wanted}
        assert ends or "healthcheck" in SERVICES[other]


def test_prometheus_asks_every_process_at_the_port_it_has():
    spec = load_company(PLACE / "company.yaml", FROM_ENVIRONMENT).spec
    jobs = yaml.safe_load((PLACE / "prometheus.yaml").read_text())["scrape_configs"]
    targets = {target for job in jobs for config in job["static_configs"] for target in config["targets"]}
    workers = {f"{name}:{spec.health.port}" for name, service in OURS.items() if service["command"][0] == "worker"}
    assert targets == workers | {f"gateway:{spec.gateway.port}"}
    assert f":{spec.health.port}/health" in (ROOT / "Dockerfile").read_text()


def test_the_dashboard_asks_for_metrics_there_are():
    registry = CollectorRegistry()
    WorkerMetrics(registry)
    documented = set(re.findall(r"`(aicompany_\w+)`", (ROOT / "docs" / "reference" / "metrics.md").read_text()))
    known = {metric.name for metric in registry.collect()} | documented
    panels = json.loads((PLACE / "grafana" / "company.json").read_text())["panels"]
    asked = {name for panel in panels for name in re.findall(r"aicompany_\w+", panel["targets"][0]["expr"])}
    assert asked
    assert {re.sub(r"_(total|bucket|sum|count)$", "", name) for name in asked} <= known


def test_the_example_of_the_environment_names_what_compose_asks_for():
    asked = dict(re.findall(r"\$\{(\w+):-([^}]*)\}", (PLACE / "compose.yaml").read_text()))
    shown = dict(re.findall(r"^(\w+)=(.*)$", (PLACE / ".env.example").read_text(), re.MULTILINE))
    assert shown == asked


def test_what_is_mounted_is_there():
    for service in SERVICES.values():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert not source.startswith("./") or (PLACE / source).is_file()


def test_compose_runs_the_workers_image():
    assert {service["build"]["target"] for service in OURS.values()} == {"worker"}


def stages():
    """The Dockerfile's stages by name: what each stands on, and its text."""
    text = (ROOT / "Dockerfile").read_text()
    found = re.findall(r"^FROM (\S+) AS (\S+)\n(.*?)(?=^FROM |\Z)", text, re.MULTILINE | re.DOTALL)
    return {name: (below, content) for below, name, content in found}


@pytest.mark.parametrize(("target", "command"), [("worker", "aicompany"), ("operator", "aicompany-operator")])
def test_the_image_runs_as_nobody_special_with_what_was_locked(target, command):
    known = stages()
    below, content = known[target]
    assert known[below][0] == "${BASE_IMAGE}"
    assert content.index("USER 10001:10001") < content.index(f'ENTRYPOINT ["{command}"]')
    assert "pip" not in content
    assert f"--require-hashes -r /tmp/{target}.lock" in known[f"{target}-environment"][1]
    assert list(known)[-1] == "worker", "what is built when no target is named"


def test_the_image_is_made_of_what_is_there():
    sources = re.findall(r"^COPY (?!--from)(.+) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert sources
    for source in sources:
        assert all((ROOT / path).exists() for path in source.split())
