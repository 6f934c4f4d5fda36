"""The light cluster: a whole control plane on free ports, with one node that only says it runs pods."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml
from tests.cluster import machine
from tests.cluster.cluster import ClusterMissing
from tests.cluster.commands import CommandFailed
from tests.cluster.machine import GO_NEEDED
from tests.cluster.processes import build, control_plane, node, packages, teardown
from tests.cluster.processes.control_plane import ControlPlane
from tests.cluster.processes.daemons import Daemons
from tests.servers.server import free_port, wait_until

NODE = "light"
CONTEXT = "aicompany-light"
MAX_PODS = 10_000
_STAGES = Path(__file__).with_name("stages.yaml")
_READY_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class LightCluster:
    """A control plane whose pods are ready without running. Nothing of it needs root."""

    plane: ControlPlane
    daemons: Daemons

    @property
    def kubeconfig(self) -> Path:
        """The administrator's."""
        return self.plane.kubeconfig

    @property
    def kubectl(self) -> Path:
        """Of the cluster's own version."""
        return self.plane.kubectl


@contextmanager
def light_cluster() -> Iterator[LightCluster]:
    """One in a folder of its own, gone afterwards. Raises `ClusterMissing`, `CommandFailed`, `TimeoutError`."""
    provide()
    with tempfile.TemporaryDirectory(prefix="aicompany-light-", ignore_cleanup_errors=True) as folder:
        cluster = _cluster(Path(folder))
        try:
            _start(cluster)
            yield cluster
        finally:
            _end(cluster)


def provide() -> None:
    """See to it that all programs are here. Raises `ClusterMissing`, `CommandFailed`."""
    if packages.can_install():
        packages.install(packages.LIGHT)
    elif lacking := packages.missing(packages.LIGHT):
        raise ClusterMissing(f"no light cluster: it needs {' and '.join(lacking)}")
    if build.outdated(build.LIGHT):
        go = machine.go_version()
        if go is None or go < GO_NEEDED:
            raise ClusterMissing(f"no light cluster: it needs Go {GO_NEEDED[0]}.{GO_NEEDED[1]} or newer to be built")
        build.build(build.LIGHT)


def node_object() -> str:
    """The node, as YAML; kwok keeps it ready."""
    room = {"cpu": "100k", "memory": "100Ti", "ephemeral-storage": "100Ti", "pods": str(MAX_PODS)}
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": NODE, "labels": {"kubernetes.io/hostname": NODE, "kubernetes.io/os": "linux"}},
            "status": {"allocatable": room, "capacity": room},
        }
    )


def kwok(plane: ControlPlane) -> list[str]:
    """kwok, which plays the kubelet as `stages.yaml` says."""
    return [
        str(plane.binaries / "kwok"), f"--kubeconfig={plane.kubeconfig}", f"--config={_STAGES}",
        f"--manage-single-node={NODE}", "--manage-all-nodes=false", "--cidr=10.128.0.0/16",
        "--node-ip=127.0.0.1", "--node-lease-duration-seconds=40",
    ]  # fmt: skip


def _cluster(place: Path) -> LightCluster:
    plane = ControlPlane(
        place=place,
        binaries=build.binaries(),
        context=CONTEXT,
        api_port=free_port(),
        etcd_port=free_port(),
        etcd_peer_port=free_port(),
        address="127.0.0.1",
        service_cidr="10.96.0.0/16",
        api_service="10.96.0.1",
        pod_cidr=None,
    )
    return LightCluster(plane, Daemons(place))


def _start(cluster: LightCluster) -> None:
    plane, daemons = cluster.plane, cluster.daemons
    control_plane.start(plane, daemons)
    control_plane.apply(plane, node_object(), node.storage_class())
    daemons.start("kwok", kwok(plane))
    wait_until(lambda: _is_ready(plane), "the light node", seconds=_READY_SECONDS, log=daemons.log("kwok"))
    control_plane.wait_for_default_account(plane)


def _is_ready(plane: ControlPlane) -> bool:
    question = "-o=jsonpath={.status.conditions[?(@.type=='Ready')].status}{.spec.taints[*].key}"
    try:
        return control_plane.kubectl(plane, "get", f"node/{NODE}", question, seconds=10).strip() == "True"
    except CommandFailed:
        return False


def _end(cluster: LightCluster) -> None:
    volumes = teardown.volumes_of(cluster.plane)
    cluster.daemons.end(cluster.daemons.names())
    for path in volumes:
        teardown.remove(path)
