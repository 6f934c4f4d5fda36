"""PodDisruptionBudgets."""

import pytest
from tests.unit.operator.builders.blueprints import GROUPS, blueprint_of

from aicompany_operator.builders.deployment import build_deployment
from aicompany_operator.builders.disruption_budget import build_disruption_budget

every_group = pytest.mark.parametrize("group", GROUPS, ids=str)


@every_group
@pytest.mark.parametrize("replicas", [1, 2, 5])
def test_a_drain_takes_one_pod_at_a_time_and_is_never_blocked(group, replicas):
    budget = build_disruption_budget(blueprint_of(replicas=replicas), group)
    assert budget["spec"]["maxUnavailable"] == 1
    assert "minAvailable" not in budget["spec"]
    assert budget["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow"


@every_group
def test_a_group_without_pods_has_no_budget(group):
    assert build_disruption_budget(blueprint_of(replicas=0), group) is None


@every_group
def test_a_budget_is_of_the_deployments_pods(group):
    budget, deployment = (build(blueprint_of(), group) for build in (build_disruption_budget, build_deployment))
    assert budget["spec"]["selector"] == deployment["spec"]["selector"]
    assert budget["metadata"] == deployment["metadata"]
