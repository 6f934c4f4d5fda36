"""What kopf's indices hold, as reconciles ask for it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

import kopf

from aicompany_operator.names import CompanyRef
from aicompany_operator.observed.child import Child
from aicompany_operator.observed.seen import SeenPod

Value = TypeVar("Value")


@dataclass(slots=True)
class Indices:
    """`reconcile.tools.Watched` over kopf's indices; they are empty until kopf runs and hands them over."""

    children_index: kopf.Index[tuple[str, str], Child] | None = None
    pods_index: kopf.Index[tuple[str, str], SeenPod] | None = None
    secrets_index: kopf.Index[tuple[str, str], str] | None = None

    def forget(self) -> None:
        """Before kopf runs again."""
        self.children_index = self.pods_index = self.secrets_index = None

    def children(self, company: CompanyRef) -> Iterable[Child]:
        """Objects that bear the company's label."""
        return _found(self.children_index, (company.namespace, company.name))

    def pods(self, company: CompanyRef) -> Iterable[SeenPod]:
        """The company's pods."""
        return _found(self.pods_index, (company.namespace, company.name))

    def secret_version(self, namespace: str, name: str) -> str | None:
        """The version of a Secret."""
        return next(iter(_found(self.secrets_index, (namespace, name))), None)


def _found(index: "kopf.Index[tuple[str, str], Value] | None", key: tuple[str, str]) -> tuple[Value, ...]:
    return tuple(index[key]) if index is not None and key in index else ()
