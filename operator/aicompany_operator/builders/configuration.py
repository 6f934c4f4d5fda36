"""The company's file as its pods read it, and which part of it concerns whom."""

import hashlib
import json
from typing import Any

import yaml

from aicompany.ports.cluster import WorkerGroup, groups_of_company
from aicompany.spec.company import CompanySpec
from aicompany_operator.builders.blueprint import Blueprint, Manifest
from aicompany_operator.builders.metadata import metadata_of
from aicompany_operator.builders.paths import (
    API_KEY,
    COMPANY_FILE,
    GATEWAY_PORT,
    HEALTH_PORT,
    SECRETS,
    STATE,
    TOKEN,
)
from aicompany_operator.names import GATEWAY, GROUP, KIND, VERSION, CompanyRef, child_name

ASKING_ROLES = frozenset({"pm", "task", "dialog"})
"""Roles that ask the model."""

_PLANNING_ROLES = frozenset({"pm", "gateway"})
"""The PM plans; the gateway refuses an order whose listed steps are more than a plan may have."""
_CLUSTER_ONLY = ("pods", "paused", "hibernated")
_SERVERS = ("broker", "store", "cache")
_STAMP_CHARACTERS = 16
_LINE_BREAKS = frozenset("\x85\u2028\u2029")
"""Line breaks to YAML, and unescaped it would read them as spaces."""


def configuration_name(company: CompanyRef) -> str:
    """Name of the ConfigMap."""
    return child_name(company.name, "company")


def build_configuration(blueprint: Blueprint) -> Manifest:
    """The ConfigMap with the company's file."""
    document = {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": KIND,
        "metadata": {"name": blueprint.company.name},
        "spec": spec_for_pods(blueprint),
    }
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata_of(blueprint.company, configuration_name(blueprint.company)),
        "data": {COMPANY_FILE: _as_yaml(document)},
    }


def _as_yaml(document: dict[str, Any]) -> str:
    is_readable = _LINE_BREAKS.isdisjoint(json.dumps(document, ensure_ascii=False))
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=is_readable)


def spec_for_pods(blueprint: Blueprint) -> dict[str, Any]:
    """The specification without what only a cluster needs, and with the places of things in a pod.

    Addresses of servers are left out: they hold passwords and come by the environment.
    """
    spec: dict[str, Any] = blueprint.spec.model_dump(mode="json", by_alias=True, exclude_none=True)
    for section in _CLUSTER_ONLY:
        del spec[section]
    for server in _SERVERS:
        spec[server].pop("url", None)
        spec[server].pop("urlSecret", None)
    scaling = blueprint.spec.scaling
    if scaling.queue_per_worker > scaling.queue_per_worker_max:
        # Only the beginning was set: the end, written out beside it, would look like a mistake.
        del spec["scaling"]["queuePerWorkerMax"]
    spec["model"].pop("apiKeySecret", None)
    spec["gateway"].pop("tokenSecret", None)
    spec["model"].pop("apiKeyFile", None)
    if blueprint.sources.api_key is not None:
        spec["model"]["apiKeyFile"] = f"{SECRETS}/{API_KEY}"
    spec["gateway"] |= {"host": "0.0.0.0", "port": GATEWAY_PORT, "tokenFile": f"{SECRETS}/{TOKEN}"}  # noqa: S104
    spec["health"] |= {"host": "0.0.0.0", "port": HEALTH_PORT}  # noqa: S104 - the kubelet asks from outside the pod
    spec["store"]["directory"] = STATE
    return spec


def concerns(spec: dict[str, Any], full: CompanySpec, group: WorkerGroup) -> dict[str, Any]:
    """The part of the file that the group's pods act by: what may change without them is left out.

    Left out are how many workers there are, the agents that are others (only their names stay, for queues are declared
    for all), and the model where it is not asked.
    """
    part = {name: section for name, section in spec.items() if name not in {"workers", "agents", "model", "scaling"}}
    part["drain"] = spec["workers"]["drainSeconds"]
    part["low_share"] = spec["workers"]["lowShare"]
    part["agents"] = [_agent_for(agent, group) for agent in spec["agents"]]
    if group.role in ASKING_ROLES:
        part["model"] = spec["model"]
    if group == GATEWAY:
        part["health"] = None
        # Its status names the model.
        part["model"] = {"name": spec["model"]["name"]}
    else:
        part["gateway"] = None
        part["concurrency"] = groups_of_company(full)[group].concurrency
    if group.role not in _PLANNING_ROLES:
        part["planning"] = None
    return part


def _agent_for(agent: dict[str, Any], group: WorkerGroup) -> dict[str, Any]:
    told = {"name", "fallback"}
    if group.role == "pm":
        told |= {"specialities"}
    if group.agent == agent["name"]:
        told |= {"specialities", "instructions", "model"}
    return {name: value for name, value in agent.items() if name in told}


def configuration_stamp(blueprint: Blueprint, group: WorkerGroup) -> str:
    """Changes when something changes that concerns the group's pods: then they are replaced."""
    part = concerns(spec_for_pods(blueprint), blueprint.spec, group)
    text = json.dumps(part, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:_STAMP_CHARACTERS]
