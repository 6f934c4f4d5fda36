"""PodDisruptionBudgets: a drain of nodes takes one pod of a group at a time."""

from aicompany.ports.cluster import WorkerGroup
from aicompany_operator.builders.blueprint import Blueprint, Manifest
from aicompany_operator.builders.metadata import metadata_of, selector_of
from aicompany_operator.names import deployment_name


def build_disruption_budget(blueprint: Blueprint, group: WorkerGroup) -> Manifest | None:
    """The group's budget; none for a group without pods.

    One may always be missing: a group of one pod must not keep a node from being drained, and what a worker gives back
    another takes. A pod that is not ready may always go: counted as the missing one, it would keep its node for ever.
    """
    if blueprint.replicas[group] == 0:
        return None
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": metadata_of(blueprint.company, deployment_name(blueprint.company.name, group), group),
        "spec": {
            "maxUnavailable": 1,
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
            "selector": {"matchLabels": selector_of(blueprint.company, group)},
        },
    }
