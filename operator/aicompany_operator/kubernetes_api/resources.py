"""Where objects of each kind are found."""

from dataclasses import dataclass

from aicompany_operator.names import GROUP, KIND, PLURAL, VERSION


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind of namespaced object."""

    kind: str
    api_version: str
    plural: str

    def path(self, namespace: str, name: str | None = None, sub: str | None = None) -> str:
        """The path of one object, or of all in a namespace."""
        root = "api" if "/" not in self.api_version else "apis"
        parts = [f"/{root}/{self.api_version}/namespaces/{namespace}/{self.plural}", name, sub]
        return "/".join(part for part in parts if part)


COMPANY = Resource(KIND, f"{GROUP}/{VERSION}", PLURAL)
CONFIG_MAP = Resource("ConfigMap", "v1", "configmaps")
SECRET = Resource("Secret", "v1", "secrets")
SERVICE = Resource("Service", "v1", "services")
SERVICE_ACCOUNT = Resource("ServiceAccount", "v1", "serviceaccounts")
POD = Resource("Pod", "v1", "pods")
EVENT = Resource("Event", "v1", "events")
DEPLOYMENT = Resource("Deployment", "apps/v1", "deployments")
DISRUPTION_BUDGET = Resource("PodDisruptionBudget", "policy/v1", "poddisruptionbudgets")
NETWORK_POLICY = Resource("NetworkPolicy", "networking.k8s.io/v1", "networkpolicies")
LEASE = Resource("Lease", "coordination.k8s.io/v1", "leases")

APPLIED = (CONFIG_MAP, SECRET, SERVICE, SERVICE_ACCOUNT, DEPLOYMENT, DISRUPTION_BUDGET, NETWORK_POLICY)
"""The kinds a company is made of."""

BY_KIND = {resource.kind: resource for resource in APPLIED}
