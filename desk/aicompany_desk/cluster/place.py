"""Which cluster and which namespace are meant, as kubectl understands it."""

from dataclasses import dataclass
from typing import ClassVar

from aicompany.errors import CompanyNotRunning, NotPossible


class ClusterUnusable(CompanyNotRunning):
    """No cluster can be reached from here: no kubeconfig, no client, or the API server does not answer."""

    code: ClassVar[str] = "cluster_unusable"


class ClusterForbidden(NotPossible):
    """The API server does not let this user do it."""

    code: ClassVar[str] = "cluster_forbidden"


@dataclass(frozen=True, slots=True)
class ClusterPlace:
    """What was said on the command line; `None`: as the kubeconfig says."""

    namespace: str | None = None
    context: str | None = None
    kubeconfig: str | None = None

    @property
    def is_named(self) -> bool:
        """Whether a cluster was asked for expressly."""
        return any((self.namespace, self.context, self.kubeconfig))
