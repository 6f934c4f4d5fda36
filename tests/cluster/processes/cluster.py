"""The process cluster: one control plane and one node, on this machine's network."""

from collections.abc import Sequence
from pathlib import Path

from tests.cluster.commands import Step
from tests.cluster.places import cache
from tests.cluster.processes import build, containerd, control_plane, node, packages, teardown, volumes
from tests.cluster.processes.control_plane import ControlPlane
from tests.cluster.processes.daemons import Daemons
from tests.cluster.processes.images import load

CONTEXT = "aicompany"


class ProcessCluster:
    """A `Cluster` out of processes. Its network plugin enforces no network policies; there is one on a machine."""

    name = "processes"
    enforces_network_policies = False

    def __init__(self) -> None:
        self._plane = ControlPlane(
            place=cache() / "run",
            binaries=build.binaries(),
            context=CONTEXT,
            api_port=6443,
            etcd_port=2379,
            etcd_peer_port=2380,
            address=node.ADDRESS,
            service_cidr="10.96.0.0/16",
            api_service="10.96.0.1",
            pod_cidr=node.POD_CIDR,
        )
        self._daemons = Daemons(self._plane.place)

    @property
    def kubeconfig(self) -> Path:
        return self._plane.kubeconfig

    @property
    def kubectl(self) -> Path:
        return self._plane.kubectl

    def is_up(self) -> bool:
        if not (self.kubeconfig.exists() and self.kubectl.exists()):
            return False
        return control_plane.is_ready(self._plane) and node.is_ready(self._plane)

    def up(self) -> None:
        if self.is_up():
            return
        self.down()
        packages.install((*packages.LIGHT, *packages.NODE))
        build.build(build.ALL)
        with Step("control plane"):
            containerd.claim(self._plane.place)
            teardown.mark(self._plane.place)
            node.add_link()
            control_plane.start(self._plane, self._daemons, *node.IDENTITIES)
            self._daemons.start("volumes", volumes.volumes(self.kubectl, self.kubeconfig))
        with Step("node"):
            node.start(self._plane, self._daemons, cache() / "containerd")
            control_plane.wait_for_default_account(self._plane)

    def down(self) -> None:
        teardown.tear_down(self._plane, self._daemons)

    def load(self, images: Sequence[str]) -> None:
        for image in images:
            load(image)

    def describe(self) -> str:
        version = build.CONTROL_PLANE[0].version
        state = ", ".join(self._daemons.running()) or "nothing"
        return f"processes, Kubernetes {version}, kubeconfig {self.kubeconfig}, running: {state}"
