"""A cluster to try a company on: images in its node, RabbitMQ and PostgreSQL at work, the operator's Secret made."""

import secrets

from tests.cluster.cluster import Cluster
from tests.cluster.commands import Step
from tests.cluster.images.buildah import Buildah
from tests.cluster.images.catalogue import IMAGES
from tests.cluster.images.docker import Docker
from tests.cluster.kubectl import Kubectl
from tests.cluster.places import ROOT

SERVERS = "aicompany-servers"
SYSTEM = "aicompany-system"
_USER = "aicompany"
_READY_SECONDS = 240


def kubectl_of(cluster: Cluster) -> Kubectl:
    """Its kubectl, as its administrator."""
    return Kubectl(cluster.kubectl, cluster.kubeconfig)


def provide(cluster: Cluster) -> Kubectl:
    """Bring up what is not up. Raises `CommandFailed`, `TimeoutError`."""
    cluster.up()
    kubectl = kubectl_of(cluster)
    _load_images(cluster, kubectl)
    with Step("RabbitMQ and PostgreSQL"):
        _make_servers(kubectl)
    return kubectl


def _load_images(cluster: Cluster, kubectl: Kubectl) -> None:
    """What is in the node already, by its archive's name, is not loaded again."""
    builder = Docker() if cluster.name == "kind" else Buildah()
    archives = [str(archive) for image in IMAGES if (archive := builder.build(image)) is not None]
    loaded = (kubectl.get("configmap", "loaded-images", "kube-system") or {}).get("data", {}).get("archives", "")
    missing = [archive for archive in archives if archive not in loaded.split()]
    if missing:
        with Step(f"loading {len(missing)} images"):
            cluster.load(missing)
        note = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "loaded-images", "namespace": "kube-system"},
        }
        kubectl.apply({**note, "data": {"archives": " ".join(archives)}})


def _make_servers(kubectl: Kubectl) -> None:
    for name in (SERVERS, SYSTEM):
        labels = {"pod-security.kubernetes.io/enforce": "restricted"}
        kubectl.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
    if kubectl.get("secret", "servers", SERVERS) is None:
        password = secrets.token_hex(16)
        kubectl.apply(_secret("servers", SERVERS, {"user": _USER, "password": password}))
        login = f"{_USER}:{password}"
        kubectl.apply(
            _secret(
                "aicompany-servers",
                SYSTEM,
                {
                    "OPERATOR_BROKER_ADMIN_URL": f"http://{login}@rabbitmq.{SERVERS}:15672",
                    "OPERATOR_BROKER_METRICS_URL": f"http://rabbitmq.{SERVERS}:15692",
                    "OPERATOR_STORE_ADMIN_URL": f"postgresql://{login}@postgres.{SERVERS}:5432/postgres",
                },
            )
        )
    kubectl("apply", "-f", ROOT / "manifests" / "servers.yaml")
    for server in ("rabbitmq", "postgres"):
        wait = ("rollout", "status", f"statefulset/{server}", "-n", SERVERS, f"--timeout={_READY_SECONDS}s")
        kubectl(*wait, seconds=_READY_SECONDS + 10)


def _secret(name: str, namespace: str, values: dict[str, str]) -> dict[str, object]:
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": values}
