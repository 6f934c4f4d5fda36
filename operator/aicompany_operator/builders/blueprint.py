"""All that builders may look at."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from aicompany.ports.cluster import WorkerGroup
from aicompany.spec.company import CompanySpec
from aicompany.spec.secret_key import SecretKey
from aicompany_operator.names import CompanyRef

Manifest: TypeAlias = dict[str, Any]
"""A Kubernetes object as it is applied: only the fields that the operator owns, in the form the API server keeps."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the company's secret values are, whoever made them: an entry of a Secret each; `None`: there is none."""

    broker_url: SecretKey
    store_url: SecretKey
    token: SecretKey
    cache_url: SecretKey | None
    api_key: SecretKey | None


@dataclass(frozen=True, slots=True)
class Ports:
    """TCP ports of the servers that the company's pods must reach."""

    broker: int
    store: int
    cache: int | None
    model: int


@dataclass(frozen=True, slots=True)
class Blueprint:
    """A company as it should be, with everything decided that its objects depend on."""

    company: CompanyRef
    spec: CompanySpec
    image: str
    sources: Sources
    ports: Ports
    replicas: Mapping[WorkerGroup, int]
    """Of every group of workers and of the gateway (`names.GATEWAY`)."""
    credentials: Mapping[SecretKey, str]
    """A stamp of each secret value, which changes when the value does."""
