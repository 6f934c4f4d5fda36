"""Names, labels and annotations that others see in the cluster."""

import hashlib
from dataclasses import dataclass

from aicompany.ports.cluster import WorkerGroup

GROUP = "aicompany.io"
VERSION = "v1alpha1"
KIND = "AICompany"
PLURAL = "aicompanies"
SHORT_NAME = "aico"

FIELD_MANAGER = "aicompany-operator"
"""Who owns the fields that server-side apply writes."""

LABEL_COMPANY = "aicompany.io/company"
LABEL_ROLE = "aicompany.io/role"
LABEL_AGENT = "aicompany.io/agent"
LABEL_TRACK = "aicompany.io/track"
LABEL_WORKER = "aicompany.io/worker"
"""`"true"` on the pods of workers, unlike those of the gateway."""
STAMP_CONFIGURATION = "aicompany.io/configuration"
"""Annotation of a pod: changes with the part of the company's file that concerns the pod."""
STAMP_CREDENTIALS = "aicompany.io/credentials"
"""Annotation of a pod: changes with the content of the Secrets it uses."""
LABEL_SCRAPER = "aicompany.io/scraper"
"""Label of a namespace (`"true"`) whose pods may read the workers' metrics."""

GATEWAY = WorkerGroup("gateway")
"""The gateway is a Deployment like the groups of workers, but takes no messages."""

_NAME_MAX = 52
"""Leaves a Deployment's pods room for their suffixes within a label's 63 characters."""


@dataclass(frozen=True, slots=True, order=True)
class CompanyRef:
    """Which company: its place in the cluster and the uid of this very resource."""

    namespace: str
    name: str
    uid: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


def child_name(company: str, part: str) -> str:
    """`<company>-<part>`, at most 52 characters: what is too long ends in a digest of the whole."""
    whole = f"{company}-{part}"
    if len(whole) <= _NAME_MAX:
        return whole
    digest = hashlib.sha256(whole.encode()).hexdigest()[:8]
    return f"{whole[: _NAME_MAX - 9].rstrip('-')}-{digest}"


def deployment_name(company: str, group: WorkerGroup) -> str:
    """Of a group of workers, or of the gateway."""
    return child_name(company, f"{group.role}-{group.agent}" if group.agent else group.role)


def server_name(company: CompanyRef) -> str:
    """Of the company's vhost and user on the broker: `aicompany.<namespace>.<name>`."""
    return f"aicompany.{company.namespace}.{company.name}"


def database_name(company: CompanyRef) -> str:
    """Of the company's database and role on PostgreSQL, whose names have 63 bytes at most."""
    whole = server_name(company).replace(".", "_").replace("-", "_")
    digest = hashlib.sha256(server_name(company).encode()).hexdigest()[:8]
    return f"{whole[:54]}_{digest}"
