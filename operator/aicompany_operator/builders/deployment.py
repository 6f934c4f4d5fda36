"""A Deployment for the gateway and for every group of workers."""

from typing import Any

from aicompany.ports.cluster import WorkerGroup
from aicompany_operator.builders.blueprint import Blueprint, Manifest
from aicompany_operator.builders.configuration import ASKING_ROLES
from aicompany_operator.builders.metadata import metadata_of, selector_of
from aicompany_operator.builders.paths import API_KEY, COMPANY_FILE, CONFIGURATION, GATEWAY_PORT, HEALTH_PORT, TOKEN
from aicompany_operator.builders.pod import Container, pod_template
from aicompany_operator.names import GATEWAY, deployment_name

_FILE = f"{CONFIGURATION}/{COMPANY_FILE}"
_ASKS_NOBODY = {"AICOMPANY_MODEL__PROVIDER": "offline"}
"""Every process opens the model that the file names, and ends when its key cannot be read: who has none opens none."""


def build_deployment(blueprint: Blueprint, group: WorkerGroup) -> Manifest:
    """The group's Deployment. A new pod is ready before an old one goes."""
    container = _gateway(blueprint) if group == GATEWAY else _worker(blueprint, group)
    spec: dict[str, Any] = {
        "replicas": blueprint.replicas[group],
        "revisionHistoryLimit": 3,
        "progressDeadlineSeconds": 600,
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
        "selector": {"matchLabels": selector_of(blueprint.company, group)},
        "template": pod_template(blueprint, group, container),
    }
    name = deployment_name(blueprint.company.name, group)
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata_of(blueprint.company, name, group),
        "spec": spec,
    }


def _gateway(blueprint: Blueprint) -> Container:
    return Container(
        arguments=("gateway", _FILE),
        port_name="http",
        port=GATEWAY_PORT,
        compute=blueprint.spec.pods.gateway,
        files={TOKEN: blueprint.sources.token},
        overrides=_ASKS_NOBODY,
    )


def _worker(blueprint: Blueprint, group: WorkerGroup) -> Container:
    key = blueprint.sources.api_key
    agent = ("--agent", group.agent) if group.agent else ()
    asks = group.role in ASKING_ROLES
    return Container(
        arguments=("worker", group.role, *agent, _FILE),
        port_name="health",
        port=HEALTH_PORT,
        compute=blueprint.spec.pods.worker,
        files={API_KEY: key} if key is not None and asks else {},
        overrides={} if asks else _ASKS_NOBODY,
    )
