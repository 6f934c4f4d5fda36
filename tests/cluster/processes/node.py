"""The one node: containerd, kubelet, kube-proxy, and CoreDNS beside them. Configurations, then how they start."""

import json
from pathlib import Path

import yaml
from tests.cluster.commands import CommandFailed, run
from tests.cluster.processes import control_plane, pause
from tests.cluster.processes.certificates import ADMIN, PROXY, Identity, kubelet
from tests.cluster.processes.containerd import SOCKET, STATE, serves_pods
from tests.cluster.processes.control_plane import ControlPlane
from tests.cluster.processes.daemons import Daemons
from tests.servers.server import wait_until

NODE = "node1"
ADDRESS = "172.30.0.1"
NODE_LINK = "aic-node"
POD_LINK = "aic-pods"
POD_NETWORK = "aicompany-pods"
POD_CIDR = "10.244.0.0/16"
NODE_POD_CIDR = "10.244.0.0/24"
DNS_SERVICE = "10.96.0.10"
MAX_PODS = 250
"""As many as the node's part of the pods' network has addresses for."""

_PLUGINS = "/usr/lib/cni"
_READY_SECONDS = 120.0
_IDENTITY = kubelet(NODE, ADDRESS)
IDENTITIES: tuple[Identity, ...] = (_IDENTITY, PROXY)


def containerd_config(place: Path, images: Path) -> str:
    """containerd's own; what is not named here keeps its default."""
    # restrict_oom_score_adj: without CAP_SYS_RESOURCE runc cannot lower oom_score_adj, and every sandbox would fail.
    return f"""\
version = 2
root = "{images}"
state = "{STATE}"

[grpc]
  address = "{SOCKET}"

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause.TAG}"
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true

  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{_PLUGINS}"
    conf_dir = "{place / "cni"}"
"""


def network_config(place: Path) -> str:
    """The pods' network: a bridge, addresses handed out from files, and what leaves it is masqueraded."""
    bridge = {
        "type": "bridge",
        "bridge": POD_LINK,
        "isGateway": True,
        "ipMasq": True,
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            "dataDir": str(place / "addresses"),
            "ranges": [[{"subnet": NODE_POD_CIDR}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    ports = {"type": "portmap", "capabilities": {"portMappings": True}}
    return json.dumps({"cniVersion": "0.4.0", "name": POD_NETWORK, "plugins": [bridge, ports]}, indent=2)


def kubelet_config(plane: ControlPlane) -> str:
    """The kubelet's; images are never collected, and nothing is reserved for the system."""
    document = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(plane.pki / "ca.crt")},
        },
        "authorization": {"mode": "Webhook"},
        "tlsCertFile": str(plane.pki / "kubelet.crt"),
        "tlsPrivateKeyFile": str(plane.pki / "kubelet.key"),
        "clusterDNS": [DNS_SERVICE],
        "clusterDomain": "cluster.local",
        "cgroupDriver": "cgroupfs",
        "failCgroupV1": False,
        "failSwapOn": False,
        "containerRuntimeEndpoint": f"unix://{SOCKET}",
        "maxPods": MAX_PODS,
        "evictionHard": {"memory.available": "100Mi", "nodefs.available": "1Gi", "imagefs.available": "1Gi"},
        "imageGCHighThresholdPercent": 100,
        "localStorageCapacityIsolation": False,
    }
    return yaml.safe_dump(document, sort_keys=False)


def proxy_config(plane: ControlPlane) -> str:
    """kube-proxy's; it leaves the size of the connection table alone, which only the machine's owner may set."""
    document = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": str(plane.kubeconfig_of(PROXY))},
        "mode": "iptables",
        "clusterCIDR": POD_CIDR,
        "hostnameOverride": NODE,
        "conntrack": {"maxPerCore": 0},
    }
    return yaml.safe_dump(document, sort_keys=False)


def dns_config(plane: ControlPlane) -> str:
    """CoreDNS's: the cluster's names and no others."""
    return f"""\
.:53 {{
  bind {ADDRESS}
  errors
  kubernetes cluster.local in-addr.arpa ip6.arpa {{
    kubeconfig {plane.kubeconfig_of(ADMIN)}
    ttl 5
  }}
  cache 5
}}
"""


def objects() -> list[str]:
    """What a cluster has from its start, as YAML: names by a Service, volumes by a class."""
    name = {"name": "kube-dns", "namespace": "kube-system"}
    ports = [{"name": "dns", "port": 53, "protocol": "UDP"}, {"name": "dns-tcp", "port": 53, "protocol": "TCP"}]
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": name,
        "spec": {"clusterIP": DNS_SERVICE, "ports": ports},
    }
    endpoints = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {**name, "labels": {"kubernetes.io/service-name": "kube-dns"}},
        "addressType": "IPv4",
        "ports": ports,
        "endpoints": [{"addresses": [ADDRESS], "conditions": {"ready": True}}],
    }
    return [*map(yaml.safe_dump, (service, endpoints)), storage_class()]


def storage_class() -> str:
    """Volumes of one machine, as the default, as YAML."""
    return yaml.safe_dump(
        {
            "apiVersion": "storage.k8s.io/v1",
            "kind": "StorageClass",
            "metadata": {
                "name": "standard",
                "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
            },
            "provisioner": "kubernetes.io/host-path",
        }
    )


def add_link() -> None:
    """The node's address, on a link of its own. Raises `CommandFailed`."""
    if not Path("/sys/class/net", NODE_LINK).exists():
        # Some kernels have no dummy links; a bridge holds an address as well.
        run("ip", "link", "add", NODE_LINK, "type", "bridge", seconds=10)
    run("ip", "addr", "replace", f"{ADDRESS}/32", "dev", NODE_LINK, seconds=10)
    run("ip", "link", "set", NODE_LINK, "up", seconds=10)
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1", encoding="utf-8")


def start(plane: ControlPlane, daemons: Daemons, images: Path) -> None:
    """Start the node; returns when it is ready for pods. Raises `CommandFailed`, `TimeoutError`."""
    for name, text in _files(plane, images).items():
        written = plane.place / name
        written.parent.mkdir(parents=True, exist_ok=True)
        written.write_text(text, encoding="utf-8")
    daemons.start("containerd", ["containerd", "--config=containerd.toml"])
    wait_until(serves_pods, "containerd", log=daemons.log("containerd"))
    pause.load()
    binaries = plane.binaries
    daemons.start("kubelet", [
        str(binaries / "kubelet"), "--config=kubelet.yaml", f"--kubeconfig={plane.kubeconfig_of(_IDENTITY)}",
        f"--hostname-override={NODE}", f"--node-ip={ADDRESS}", f"--root-dir={plane.place / 'kubelet'}",
    ])  # fmt: skip
    daemons.start("proxy", [str(binaries / "kube-proxy"), "--config=proxy.yaml"])
    daemons.start("coredns", [str(binaries / "coredns"), "-conf=Corefile"])
    control_plane.apply(plane, *objects())
    wait_until(lambda: is_ready(plane), "the node", seconds=_READY_SECONDS, log=daemons.log("kubelet"))


def is_ready(plane: ControlPlane) -> bool:
    """Whether the node takes pods."""
    question = "-o=jsonpath={.status.conditions[?(@.type=='Ready')].status}"
    try:
        return control_plane.kubectl(plane, "get", f"node/{NODE}", question, seconds=10).strip() == "True"
    except CommandFailed:
        return False


def _files(plane: ControlPlane, images: Path) -> dict[str, str]:
    return {
        "containerd.toml": containerd_config(plane.place, images),
        "cni/10-pods.conflist": network_config(plane.place),
        "kubelet.yaml": kubelet_config(plane),
        "proxy.yaml": proxy_config(plane),
        "Corefile": dns_config(plane),
    }
