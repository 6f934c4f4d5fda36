"""The definition as a whole."""

from typing import Any

from aicompany.spec.company import CompanySpec
from aicompany_operator.crd.columns import COLUMNS
from aicompany_operator.crd.rules import NAME
from aicompany_operator.crd.schema import Schema, schema_of
from aicompany_operator.crd.status import CompanyStatus
from aicompany_operator.names import GROUP, KIND, PLURAL, SHORT_NAME, VERSION


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
    return {
        "name": VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": [column.as_schema() for column in COLUMNS],
        "schema": {"openAPIV3Schema": _resource()},
    }


def _resource() -> Schema:
    return {
        "type": "object",
        "description": "A company of workers that carries orders out.",
        "properties": {
            "apiVersion": {"type": "string", "description": f"Always `{GROUP}/{VERSION}`."},
            "kind": {"type": "string", "description": f"Always `{KIND}`."},
            "metadata": {"type": "object"},
            # Nothing needs to be said: `{}` is filled with the defaults of all sections.
            "spec": schema_of(CompanySpec) | {"default": {}},
            "status": schema_of(CompanyStatus),
        },
        "x-kubernetes-validations": [NAME.as_schema()],
    }
