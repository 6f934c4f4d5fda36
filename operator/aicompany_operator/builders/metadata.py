"""What every object of a company bears: labels, and the company as its owner."""

from typing import Any

from aicompany.ports.cluster import WorkerGroup
from aicompany_operator.names import (
    FIELD_MANAGER,
    GROUP,
    KIND,
    LABEL_AGENT,
    LABEL_COMPANY,
    LABEL_ROLE,
    LABEL_TRACK,
    VERSION,
    CompanyRef,
)

STABLE = "stable"


def metadata_of(company: CompanyRef, name: str, group: WorkerGroup | None = None) -> dict[str, Any]:
    """Name, labels and owner of an object of the company, or of one of its groups."""
    labels = {
        "app.kubernetes.io/name": "aicompany",
        "app.kubernetes.io/instance": company.name,
        "app.kubernetes.io/part-of": "aicompany",
        "app.kubernetes.io/managed-by": FIELD_MANAGER,
        LABEL_COMPANY: company.name,
    }
    if group is not None:
        labels |= {"app.kubernetes.io/component": group.role} | selector_of(company, group)
    return {
        "name": name,
        "namespace": company.namespace,
        "labels": labels,
        "ownerReferences": [
            {
                "apiVersion": f"{GROUP}/{VERSION}",
                "kind": KIND,
                "name": company.name,
                "uid": company.uid,
                "controller": True,
                "blockOwnerDeletion": True,
            }
        ],
    }


def selector_of(company: CompanyRef, group: WorkerGroup) -> dict[str, str]:
    """Labels by which a group's pods are found. A Deployment's never change, so there are as few as can be."""
    labels = {LABEL_COMPANY: company.name, LABEL_ROLE: group.role, LABEL_TRACK: STABLE}
    return labels | ({LABEL_AGENT: group.agent} if group.agent else {})
