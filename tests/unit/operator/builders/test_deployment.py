"""A Deployment for the gateway and for every group."""

import pytest
from click import Context
from tests.unit.operator.builders.blueprints import DESIGN, GROUPS, PM, QA, blueprint_of, container_of, spec_of

from aicompany_desk.cli.main import cli
from aicompany_operator.builders.deployment import build_deployment
from aicompany_operator.builders.metadata import metadata_of
from aicompany_operator.names import GATEWAY, LABEL_WORKER

every_group = pytest.mark.parametrize("group", GROUPS, ids=str)


def test_groups_are_started_by_their_commands():
    told = {str(group): container_of(blueprint_of(), group)["args"] for group in GROUPS}
    file = "/etc/aicompany/company.yaml"
    assert told == {
        "pm": ["worker", "pm", file],
        "result": ["worker", "result", file],
        "dialog": ["worker", "dialog", file],
        "task.qa": ["worker", "task", "--agent", "qa", file],
        "task.design": ["worker", "task", "--agent", "design", file],
        "gateway": ["gateway", file],
    }


@every_group
def test_the_command_line_understands_the_arguments(group):
    name, command, rest = cli.resolve_command(Context(cli), container_of(blueprint_of(), group)["args"])
    told = command.make_context(name, rest).params
    assert str(told["company_file"]) == "/etc/aicompany/company.yaml"
    assert (name, told.get("role")) == (("gateway", None) if group == GATEWAY else ("worker", group.role))
    assert told.get("agent") == group.agent


@every_group
def test_the_image_says_which_program_runs(group):
    assert "command" not in container_of(blueprint_of(), group)


@every_group
def test_a_selector_finds_the_groups_pods_and_no_others(group):
    deployments = {other: build_deployment(blueprint_of(), other)["spec"] for other in GROUPS}
    selector = deployments[group]["selector"]["matchLabels"]
    assert set(selector) <= {f"aicompany.io/{name}" for name in ("company", "role", "agent", "track")}
    found = {
        other
        for other, spec in deployments.items()
        if selector.items() <= spec["template"]["metadata"]["labels"].items()
    }
    assert found == {group}


def test_labels_tell_role_agent_and_track():
    labels = build_deployment(blueprint_of(), QA)["metadata"]["labels"]
    assert {
        "app.kubernetes.io/component": "task",
        "aicompany.io/role": "task",
        "aicompany.io/agent": "qa",
        "aicompany.io/track": "stable",
    }.items() <= labels.items()
    assert "aicompany.io/agent" not in build_deployment(blueprint_of(), GATEWAY)["metadata"]["labels"]


@every_group
def test_a_deployment_never_changes_its_selector(group):
    # It is immutable: whatever the specification comes to say, this must not follow.
    before = build_deployment(blueprint_of(), group)["spec"]["selector"]
    spec = spec_of(pods={"image": "registry.example/mine:2"}, workers={"task": {"min": 3}}, hibernated=True)
    assert build_deployment(blueprint_of(spec, key=False, cache=False), group)["spec"]["selector"] == before


def test_replicas_are_what_was_decided():
    blueprint = blueprint_of(spec_of(workers={"pm": {"min": 2}, "task": {"min": 0}}))
    assert build_deployment(blueprint, PM)["spec"]["replicas"] == 2
    assert build_deployment(blueprint, DESIGN)["spec"]["replicas"] == 0
    assert build_deployment(blueprint, GATEWAY)["spec"]["replicas"] == 1


@every_group
def test_a_new_pod_is_ready_before_an_old_one_goes(group):
    spec = build_deployment(blueprint_of(), group)["spec"]
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    assert spec["revisionHistoryLimit"] == 3
    assert spec["progressDeadlineSeconds"] > spec["template"]["spec"]["containers"][0]["startupProbe"]["timeoutSeconds"]


@every_group
def test_pods_bear_the_labels_of_their_deployment(group):
    deployment = build_deployment(blueprint_of(), group)
    of_pods = {} if group == GATEWAY else {LABEL_WORKER: "true"}
    assert deployment["spec"]["template"]["metadata"]["labels"] == deployment["metadata"]["labels"] | of_pods
    assert deployment["metadata"] == metadata_of(blueprint_of().company, deployment["metadata"]["name"], group)
