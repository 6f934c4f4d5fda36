"""Telling: the status of the resource, and Events for what a person would want to know."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import structlog

from aicompany_operator.kubernetes_api.client import KubernetesApi
from aicompany_operator.kubernetes_api.errors import ApiRefused, ApiUnavailable
from aicompany_operator.kubernetes_api.resources import COMPANY, EVENT
from aicompany_operator.names import FIELD_MANAGER
from aicompany_operator.reconcile.company import Company
from aicompany_operator.reconcile.memory import Memory

log = structlog.get_logger()

_WATCH_SECONDS = 10.0
"""So long after a write the watch may still show the status before it."""
_WARNINGS = {("Ready", "False"), ("Degraded", "True"), ("CredentialsAvailable", "False")}
_QUIET = {("Degraded", "False"), ("Progressing", "True"), ("Progressing", "False"), ("Paused", "False"),
          ("Hibernated", "False"), ("CredentialsAvailable", "Unknown")}  # fmt: skip
"""Transitions that only end or announce something else."""
_STARTING = "PodsStarting"


async def report(
    company: Company, status: Mapping[str, Any], api: KubernetesApi, memory: Memory, *, monotonic: float
) -> bool:
    """Write the status when it is another; whether it was. Raises `ApiUnavailable`, `ApiRefused`, `NotLeading`."""
    is_written = memory.status == status
    if is_written and (company.status == status or monotonic - memory.status_at < _WATCH_SECONDS):
        return False
    if company.status == status:
        memory.status = status
        return False
    await api.apply_status(
        COMPANY,
        {
            "apiVersion": COMPANY.api_version,
            "kind": COMPANY.kind,
            "metadata": {"name": company.ref.name, "namespace": company.ref.namespace},
            "status": status,
        },
    )
    memory.status, memory.status_at = status, monotonic
    return True


async def tell(company: Company, status: Mapping[str, Any], api: KubernetesApi, memory: Memory, now: datetime) -> None:
    """An Event for each condition that changed its status or reason, since the last status anybody wrote."""
    before = {_told(condition) for condition in company.status.get("conditions", ())} | memory.told
    after = frozenset(_told(condition) for condition in status["conditions"])
    for condition in status["conditions"]:
        told = _told(condition)
        if told in before or told[:2] in _QUIET or condition["reason"] == _STARTING:
            continue
        try:
            await api.create(EVENT, company.ref.namespace, _event(company, condition, now))
        except (ApiUnavailable, ApiRefused) as error:
            log.warning("event.not_told", company=str(company.ref), condition=condition["type"], why=str(error))
    memory.told = after


def _told(condition: Mapping[str, Any]) -> tuple[str, str, str]:
    return condition["type"], condition["status"], condition["reason"]


def _event(company: Company, condition: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    at = now.strftime("%Y-%m-%dT%H:%M:%SZ")
    digest = hashlib.sha256(f"{company.ref.uid}{condition}".encode()).hexdigest()[:12]
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{company.ref.name}.{digest}", "namespace": company.ref.namespace},
        "involvedObject": {
            "apiVersion": COMPANY.api_version,
            "kind": COMPANY.kind,
            "name": company.ref.name,
            "namespace": company.ref.namespace,
            "uid": company.ref.uid,
        },
        "type": "Warning" if (condition["type"], condition["status"]) in _WARNINGS else "Normal",
        "reason": condition["reason"],
        "message": f"{condition['type']} is {condition['status']}: {condition['message']}"[:1000],
        "firstTimestamp": at,
        "lastTimestamp": at,
        "count": 1,
        "source": {"component": FIELD_MANAGER},
    }
