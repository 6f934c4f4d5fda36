"""Companies in a cluster, and what the API server itself says of them: no word of the operator's."""

import base64
import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx2

from aicompany_operator.kubernetes_api.resources import APPLIED, COMPANY, DEPLOYMENT, POD, Resource

NAMESPACES = 4
_NAMESPACE = "bench-{}"
_READY_COLUMN = "Ready"
_TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
_METADATA = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"
_KINDS = (*APPLIED, COMPANY, POD)
_EVENTS = "events"
_WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE", "APPLY"})
_REQUESTS = re.compile(r"^apiserver_request_total\{(?P<labels>[^}]*)\} (?P<count>\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="([^"]*)"')

Versions = dict[tuple[str, str, str], str]
"""Kind, namespace and name → resourceVersion."""


def namespace_of(number: int) -> str:
    """Where a company lives."""
    return _NAMESPACE.format(number % NAMESPACES)


def company(number: int) -> dict[str, Any]:
    """Its resource: two agents, servers of its own, the offline model."""
    return {
        "apiVersion": COMPANY.api_version,
        "kind": COMPANY.kind,
        "metadata": {"name": f"company-{number}", "namespace": namespace_of(number)},
        "spec": {
            "agents": [
                {"name": "writer", "specialities": ["writing"], "instructions": "You write plainly."},
                {"name": "generalist", "fallback": True, "instructions": "You do the rest, carefully."},
            ],
            "broker": {"urlSecret": {"name": "servers", "key": "broker-url"}},
            "store": {"urlSecret": {"name": "servers", "key": "store-url"}},
            "model": {"provider": "offline"},
        },
    }


def servers(namespace: str, port: int) -> dict[str, Any]:
    """The Secret with the addresses of broker and store."""
    urls = {
        "broker-url": f"amqp://bench:bench@127.0.0.1:{port}/bench",
        "store-url": f"postgresql://bench:bench@127.0.0.1:{port}/bench",
    }
    data = {key: base64.b64encode(url.encode()).decode() for key, url in urls.items()}
    metadata = {"name": "servers", "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}


@dataclass
class Cluster:
    """The API server, asked as its administrator."""

    server: str
    trust: ssl.SSLContext = field(repr=False)

    def __post_init__(self) -> None:
        self._client = httpx2.Client(base_url=self.server, verify=self.trust, timeout=60)

    def close(self) -> None:
        self._client.close()

    def create(self, path: str, manifest: dict[str, Any]) -> None:
        self._client.post(path, json=manifest).raise_for_status()

    def create_namespace(self, name: str) -> None:
        self.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})

    def create_company(self, number: int) -> None:
        self.create(COMPANY.path(namespace_of(number)), company(number))

    def knows_companies(self) -> bool:
        """Whether the definition is established."""
        return self._client.get(_everywhere(COMPANY)).status_code == 200

    def ready(self) -> int:
        """How many companies are Ready, by the column that `kubectl get` shows."""
        table = self._get(_everywhere(COMPANY), _TABLE, includeObject="None")
        place = [column["name"] for column in table["columnDefinitions"]].index(_READY_COLUMN)
        return sum(row["cells"][place] == "True" for row in table.get("rows") or ())

    def deployments(self) -> int:
        """How many there are."""
        return sum(1 for _ in self._metadata(DEPLOYMENT))

    def versions(self) -> Versions:
        """Of companies and of all that they are made of, pods included."""
        return {
            (resource.kind, metadata["namespace"], metadata["name"]): metadata["resourceVersion"]
            for resource in _KINDS
            for metadata in self._metadata(resource)
        }

    def writes(self) -> int:
        """Writes to those kinds and to Events that the API server took since its start, whoever sent them."""
        kinds = {resource.plural for resource in _KINDS} | {_EVENTS}
        answer = self._client.get("/metrics")
        answer.raise_for_status()
        writes = 0.0
        for found in _REQUESTS.finditer(answer.text):
            labels = dict(_LABEL.findall(found["labels"]))
            if labels["verb"] in _WRITES and labels["resource"] in kinds:
                writes += float(found["count"])
        return round(writes)

    def uid(self, resource: Resource, namespace: str, name: str) -> str | None:
        """Of an object, `None` when there is none."""
        answer = self._client.get(resource.path(namespace, name))
        return str(answer.json()["metadata"]["uid"]) if answer.status_code == 200 else None

    def delete_deployment(self, namespace: str, name: str) -> None:
        options = {"propagationPolicy": "Background"}
        self._client.delete(DEPLOYMENT.path(namespace, name), params=options).raise_for_status()

    def _metadata(self, resource: Resource) -> Iterator[dict[str, Any]]:
        for item in self._get(_everywhere(resource), _METADATA)["items"]:
            yield item["metadata"]

    def _get(self, path: str, accept: str, **query: str) -> dict[str, Any]:
        answer = self._client.get(path, params=query, headers={"Accept": accept})
        answer.raise_for_status()
        return dict(answer.json())


def _everywhere(resource: Resource) -> str:
    root = "apis" if "/" in resource.api_version else "api"
    return f"/{root}/{resource.api_version}/{resource.plural}"
