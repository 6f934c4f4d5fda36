"""etcd, API server, controller manager and scheduler: how they are called, and in which order they start."""

from dataclasses import dataclass
from pathlib import Path

from tests.cluster.commands import CommandFailed, run
from tests.cluster.processes import certificates
from tests.cluster.processes.certificates import ADMIN, CONTROLLER_MANAGER, SCHEDULER, Authority, Identity
from tests.cluster.processes.daemons import Daemons
from tests.servers.server import wait_until

_READY_SECONDS = 120.0
# By default both hold themselves back to 20 and 50 calls a second, which is long for thousands of pods.
_HASTE = ("--kube-api-qps=300", "--kube-api-burst=600")


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """One control plane: where it lives and which ports it has."""

    place: Path
    binaries: Path
    context: str
    api_port: int
    etcd_port: int
    etcd_peer_port: int
    address: str
    """What pods reach the API server by; on loopback nobody but this machine does."""
    service_cidr: str
    api_service: str
    """The first address of `service_cidr`, which Kubernetes gives to the Service `kubernetes`."""
    pod_cidr: str | None
    """Split among the nodes; `None`: nodes get no part of it."""

    @property
    def is_local(self) -> bool:
        """Whether it listens on loopback alone."""
        return self.address == "127.0.0.1"

    @property
    def server(self) -> str:
        """The API's address on this machine."""
        return f"https://127.0.0.1:{self.api_port}"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's."""
        return self.kubeconfig_of(ADMIN)

    @property
    def kubectl(self) -> Path:
        """Of the cluster's own version."""
        return self.binaries / "kubectl"

    @property
    def pki(self) -> Path:
        """Keys and certificates."""
        return self.place / "pki"

    def kubeconfig_of(self, who: Identity) -> Path:
        """Where somebody's kubeconfig is."""
        return self.place / f"{who.name}.kubeconfig"


def etcd(plane: ControlPlane) -> list[str]:
    """etcd, which need not survive a power cut and so does not wait for the disk."""
    client, peer = f"http://127.0.0.1:{plane.etcd_port}", f"http://127.0.0.1:{plane.etcd_peer_port}"
    return [
        "etcd", f"--data-dir={plane.place / 'etcd'}", "--unsafe-no-fsync",
        f"--listen-client-urls={client}", f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=default={peer}",
    ]  # fmt: skip


def api_server(plane: ControlPlane) -> list[str]:
    """The API server. Pod Security and ResourceQuota are admitted by default; nodes are restricted in addition."""
    pki = plane.pki
    # Loopback is no endpoint for pods: where only this machine listens, the Service gets none.
    reach = (
        ["--bind-address=127.0.0.1", "--endpoint-reconciler-type=none"]
        if plane.is_local
        else [f"--advertise-address={plane.address}"]
    )
    return [
        str(plane.binaries / "kube-apiserver"), f"--etcd-servers=http://127.0.0.1:{plane.etcd_port}",
        f"--secure-port={plane.api_port}", *reach,
        f"--service-cluster-ip-range={plane.service_cidr}", "--service-node-port-range=30000-32767",
        f"--client-ca-file={pki / 'ca.crt'}",
        f"--tls-cert-file={pki / 'apiserver.crt'}", f"--tls-private-key-file={pki / 'apiserver.key'}",
        f"--kubelet-client-certificate={pki / 'admin.crt'}", f"--kubelet-client-key={pki / 'admin.key'}",
        f"--kubelet-certificate-authority={pki / 'ca.crt'}", "--kubelet-preferred-address-types=InternalIP",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={pki / 'sa.pub'}", f"--service-account-signing-key-file={pki / 'sa.key'}",
        "--authorization-mode=Node,RBAC", "--allow-privileged=true", "--enable-admission-plugins=NodeRestriction",
        # Debian's etcd tells no progress: a watch that begins at version 0, as kwok's do, would only get an error.
        "--feature-gates=WatchList=false",
    ]  # fmt: skip


def controller_manager(plane: ControlPlane) -> list[str]:
    """All controllers; volumes are folders of this machine."""
    networks = (
        ["--allocate-node-cidrs=false"]
        if plane.pod_cidr is None
        else ["--allocate-node-cidrs=true", f"--cluster-cidr={plane.pod_cidr}"]
    )
    return [
        str(plane.binaries / "kube-controller-manager"), f"--kubeconfig={plane.kubeconfig_of(CONTROLLER_MANAGER)}",
        f"--root-ca-file={plane.pki / 'ca.crt'}", f"--service-account-private-key-file={plane.pki / 'sa.key'}",
        "--use-service-account-credentials=true", *networks, "--leader-elect=false", "--secure-port=0", *_HASTE,
        "--enable-hostpath-provisioner=true",
    ]  # fmt: skip


def scheduler(plane: ControlPlane) -> list[str]:
    """The scheduler."""
    return [
        str(plane.binaries / "kube-scheduler"), f"--kubeconfig={plane.kubeconfig_of(SCHEDULER)}",
        "--leader-elect=false", "--secure-port=0", *_HASTE,
    ]  # fmt: skip


def start(plane: ControlPlane, daemons: Daemons, *others: Identity) -> None:
    """Sign what is needed, for `others` too, and start; returns when the API is ready. Raises `TimeoutError`."""
    authority = Authority(plane.pki)
    authority.found()
    served = [] if plane.is_local else [plane.address]
    authority.sign(certificates.api_server(plane.api_service, *served))
    for who in (ADMIN, CONTROLLER_MANAGER, SCHEDULER, *others):
        authority.sign(who)
        written = plane.kubeconfig_of(who)
        written.touch(mode=0o600)
        written.write_text(authority.kubeconfig(who, server=plane.server, context=plane.context), encoding="utf-8")
    daemons.start("etcd", etcd(plane))
    daemons.start("apiserver", api_server(plane))
    wait_until(lambda: is_ready(plane), "kube-apiserver", seconds=_READY_SECONDS, log=daemons.log("apiserver"))
    daemons.start("controller-manager", controller_manager(plane))
    daemons.start("scheduler", scheduler(plane))


def is_ready(plane: ControlPlane) -> bool:
    """Whether the API server says so."""
    try:
        return kubectl(plane, "get", "--raw=/readyz", seconds=10).strip() == "ok"
    except CommandFailed:
        return False


def kubectl(plane: ControlPlane, *words: str, seconds: float = 60) -> str:
    """One command of the administrator. Raises `CommandFailed`."""
    return run(plane.kubectl, f"--kubeconfig={plane.kubeconfig}", *words, seconds=seconds)


def apply(plane: ControlPlane, *documents: str) -> None:
    """Apply YAML. Raises `CommandFailed`."""
    written = plane.place / "applied.yaml"
    written.write_text("---\n".join(documents), encoding="utf-8")
    kubectl(plane, "apply", "-f", str(written))


def wait_for_default_account(plane: ControlPlane) -> None:
    """Without it no pod is accepted. Raises `TimeoutError`."""
    wait_until(lambda: _succeeds(plane, "get", "serviceaccount", "default"), "the default service account", seconds=60)


def _succeeds(plane: ControlPlane, *words: str) -> bool:
    try:
        kubectl(plane, *words)
    except CommandFailed:
        return False
    return True
