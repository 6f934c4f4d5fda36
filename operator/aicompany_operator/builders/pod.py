"""What the pods of gateway and workers have in common: who they run as, what they may, where things are."""

import hashlib
from dataclasses import dataclass
from typing import Any

from aicompany.ports.cluster import WorkerGroup
from aicompany.spec.pods import ComputeSpec, Toleration
from aicompany.spec.secret_key import SecretKey
from aicompany_operator.builders.blueprint import Blueprint
from aicompany_operator.builders.configuration import configuration_name, configuration_stamp
from aicompany_operator.builders.metadata import metadata_of
from aicompany_operator.builders.paths import COMPANY_FILE, CONFIGURATION, SECRETS, STATE
from aicompany_operator.builders.quantity import canonical
from aicompany_operator.builders.service_account import service_account_name
from aicompany_operator.names import (
    GATEWAY,
    LABEL_COMPANY,
    LABEL_ROLE,
    LABEL_WORKER,
    STAMP_CONFIGURATION,
    STAMP_CREDENTIALS,
)

USER = 10001
"""Of the image; any other that is not root would do."""
_FILE_MODE = 0o440
_SPARE_SECONDS = 30
"""After the drain: for the last answers, giving back, closing connections."""


@dataclass(frozen=True, slots=True)
class Container:
    """What is particular about the one container of a pod."""

    arguments: tuple[str, ...]
    port_name: str
    port: int
    compute: ComputeSpec
    files: dict[str, SecretKey]
    """File name → the secret value it holds."""
    overrides: dict[str, str]
    """Environment variable → what it says instead of the company's file."""


def pod_template(blueprint: Blueprint, group: WorkerGroup, container: Container) -> dict[str, Any]:
    """The pod template of a Deployment: satisfies the Pod Security Standard `restricted`."""
    labels = metadata_of(blueprint.company, "", group)["labels"]
    if group != GATEWAY:
        labels[LABEL_WORKER] = "true"
    spec = blueprint.spec
    template: dict[str, Any] = {
        "metadata": {"labels": labels, "annotations": _annotations(blueprint, group, container)},
        "spec": {
            "automountServiceAccountToken": False,
            "serviceAccountName": service_account_name(blueprint.company),
            # Service variables AICOMPANY_… would be taken for overrides of the company's file.
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": int(-(-spec.workers.drain_seconds // 1)) + _SPARE_SECONDS,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": USER,
                "runAsGroup": USER,
                "fsGroup": USER,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [_container(blueprint, container)],
            "volumes": _volumes(blueprint, container),
            "topologySpreadConstraints": [
                {
                    "maxSkew": 1,
                    "topologyKey": "kubernetes.io/hostname",
                    "whenUnsatisfiable": "ScheduleAnyway",
                    "labelSelector": {"matchLabels": {LABEL_COMPANY: blueprint.company.name, LABEL_ROLE: group.role}},
                }
            ],
        },
    }
    pods = spec.pods
    if pods.pull_secrets:
        template["spec"]["imagePullSecrets"] = [{"name": name} for name in dict.fromkeys(pods.pull_secrets)]
    if pods.node_selector:
        template["spec"]["nodeSelector"] = dict(pods.node_selector)
    if pods.tolerations:
        template["spec"]["tolerations"] = [_toleration(toleration) for toleration in pods.tolerations]
    return template


def _annotations(blueprint: Blueprint, group: WorkerGroup, container: Container) -> dict[str, str]:
    used = [source for _, source in _variables(blueprint)] + list(container.files.values())
    stamps = [f"{source.name}/{source.key}={blueprint.credentials.get(source, '')}" for source in used]
    return {
        STAMP_CONFIGURATION: configuration_stamp(blueprint, group),
        STAMP_CREDENTIALS: hashlib.sha256("\n".join(sorted(stamps)).encode()).hexdigest()[:16],
    }


def _variables(blueprint: Blueprint) -> list[tuple[str, SecretKey]]:
    sources = blueprint.sources
    variables = [("AICOMPANY_BROKER__URL", sources.broker_url), ("AICOMPANY_STORE__URL", sources.store_url)]
    if sources.cache_url is not None:
        variables.append(("AICOMPANY_CACHE__URL", sources.cache_url))
    return variables


def _container(blueprint: Blueprint, container: Container) -> dict[str, Any]:
    compute = container.compute
    return {
        "name": "aicompany",
        "image": blueprint.image,
        "imagePullPolicy": str(blueprint.spec.pods.pull_policy),
        "args": list(container.arguments),
        "env": [
            *(
                {"name": name, "valueFrom": {"secretKeyRef": {"name": source.name, "key": source.key}}}
                for name, source in _variables(blueprint)
            ),
            *({"name": name, "value": value} for name, value in container.overrides.items()),
        ],
        "ports": [{"name": container.port_name, "containerPort": container.port, "protocol": "TCP"}],
        "resources": {
            "requests": {"cpu": canonical(compute.cpu_request), "memory": canonical(compute.memory_request)},
            "limits": {"cpu": canonical(compute.cpu_limit), "memory": canonical(compute.memory_limit)},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        # A start on a busy node may take a while; it is looked at every second so that a quick one is not kept waiting.
        "startupProbe": _probe("/health", container.port_name, period=1, failures=120),
        "livenessProbe": _probe("/health", container.port_name, period=10, failures=6),
        "readinessProbe": _probe("/ready", container.port_name, period=2, failures=3),
        # What was said last is shown as the reason when the container has ended.
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            {"name": "configuration", "mountPath": CONFIGURATION, "readOnly": True},
            *([{"name": "secrets", "mountPath": SECRETS, "readOnly": True}] if container.files else ()),
            {"name": "state", "mountPath": STATE},
            {"name": "scratch", "mountPath": "/tmp"},  # noqa: S108 - in the pod
        ],
    }


def _probe(path: str, port: str, *, period: int, failures: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": port},
        "periodSeconds": period,
        "timeoutSeconds": 5,
        "failureThreshold": failures,
    }


def _volumes(blueprint: Blueprint, container: Container) -> list[dict[str, Any]]:
    volumes: list[dict[str, Any]] = [
        {
            "name": "configuration",
            "configMap": {
                "name": configuration_name(blueprint.company),
                "items": [{"key": COMPANY_FILE, "path": COMPANY_FILE}],
            },
        }
    ]
    if container.files:
        sources = [
            {"secret": {"name": source.name, "items": [{"key": source.key, "path": file}]}}
            for file, source in sorted(container.files.items())
        ]
        volumes.append({"name": "secrets", "projected": {"defaultMode": _FILE_MODE, "sources": sources}})
    return [
        *volumes,
        {"name": "state", "emptyDir": {"sizeLimit": "1Gi"}},
        {"name": "scratch", "emptyDir": {"sizeLimit": "256Mi"}},
    ]


def _toleration(toleration: Toleration) -> dict[str, str]:
    return {name: str(value) for name, value in toleration.model_dump().items() if value}
