"""The definition as a whole."""

from typing import Any

from aicompany.spec.company import CompanySpec
from aicompany_operator.crd.rules import NAME
from aicompany_operator.crd.schema import schema_of
from aicompany_operator.crd.status import CompanyStatus
from aicompany_operator.names import GROUP, KIND, PLURAL, SHORT_NAME, VERSION

_READY = ".status.conditions[?(@.type=='Ready')]"
_COLUMNS = (
    ("Ready", "string", f"{_READY}.status", 0, "Whether the company takes orders and carries them out."),
    ("Workers", "string", ".status.workers", 0, "Ready and desired pods."),
    ("Queued", "string", ".status.queued", 0, "Messages that wait; `?` when unknown."),
    ("Track", "string", ".status.track", 0, "Track that takes new work."),
    ("Age", "date", ".metadata.creationTimestamp", 0, "Since when it is there."),
    ("Reason", "string", f"{_READY}.reason", 1, "Why it is ready, or not."),
    ("Image", "string", ".status.image", 1, "Image of gateway and workers."),
)


def definition() -> dict[str, Any]:
    """`aicompanies.aicompany.io`, as `kubectl apply` takes it."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": PLURAL,
                "singular": KIND.lower(),
                "shortNames": [SHORT_NAME],
                "categories": ["all"],
            },
            "versions": [_version()],
        },
    }


def _version() -> dict[str, Any]:
    spec = schema_of(CompanySpec) | {"default": {}}
    return {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": [_column(*column) for column in _COLUMNS],
        "schema": {
            "openAPIV3Schema": {
                "type": "object",
                "description": "A company of workers that carries orders out.",
                "properties": {
                    "apiVersion": {"type": "string"},
                    "kind": {"type": "string"},
                    "metadata": {"type": "object"},
                    "spec": spec,
                    "status": schema_of(CompanyStatus),
                },
                "x-kubernetes-validations": [NAME.as_schema()],
            }
        },
    }


def _column(name: str, kind: str, path: str, priority: int, description: str) -> dict[str, Any]:
    return {"name": name, "type": kind, "jsonPath": path, "priority": priority, "description": description}
