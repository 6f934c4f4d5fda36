"""Kubernetes in Docker: one node, by kind."""

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import yaml
from tests.cluster.commands import CommandFailed, Step, run
from tests.cluster.places import cache

NAME = "kind"
VERSION = "v0.33.0"
# kind supports an image only with the release that it was built for; the digest is that of VERSION's release notes.
NODE_IMAGE = "kindest/node:v1.34.11@sha256:44e222ee2132dab25ff87301682f89eb82c7880ea3a1bf543bfe9708fd08d67d"
CLUSTER = "aicompany"
_NODE = f"{CLUSTER}-control-plane"
_MAX_PODS = 250


def version() -> str | None:
    """Of the kind on the path; `None`: there is none."""
    try:
        said = run("kind", "version", seconds=30)
    except CommandFailed:
        return None
    found = re.search(r"v\d+\.\d+\.\d+\S*", said)
    return found[0] if found else None


def runs_privileged() -> bool:
    """Whether Docker runs a privileged container. Pulls the node's image, which is needed anyway."""
    try:
        run("docker", "run", "--rm", "--privileged", "--entrypoint=/bin/true", NODE_IMAGE, seconds=600)
    except CommandFailed:
        return False
    return True


def config() -> str:
    """What kind is asked for, as YAML."""
    kubelet = {
        "kind": "KubeletConfiguration",
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "maxPods": _MAX_PODS,
        "imageGCHighThresholdPercent": 100,
    }
    # Nothing here outlives the test, so etcd need not wait for the disk.
    kubeadm = {
        "kind": "ClusterConfiguration",
        "etcd": {"local": {"extraArgs": {"unsafe-no-fsync": "true"}}},
    }
    document = {
        "kind": "Cluster",
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "name": CLUSTER,
        "nodes": [{"role": "control-plane", "image": NODE_IMAGE}],
        "kubeadmConfigPatches": [yaml.safe_dump(kubeadm), yaml.safe_dump(kubelet)],
    }
    return yaml.safe_dump(document, sort_keys=False)


class KindCluster:
    """A `Cluster` in one container. kind's own network enforces network policies."""

    name = NAME
    enforces_network_policies = True

    def __init__(self) -> None:
        self._place = cache() / "kind"

    @property
    def kubeconfig(self) -> Path:
        return self._place / "kubeconfig"

    @property
    def kubectl(self) -> Path:
        return self._place / "kubectl"

    def is_up(self) -> bool:
        if not (self.kubeconfig.exists() and self.kubectl.exists()):
            return False
        try:
            run(self.kubectl, f"--kubeconfig={self.kubeconfig}", "wait", "--for=condition=Ready", f"node/{_NODE}",
                "--timeout=5s", seconds=20)  # fmt: skip
        except CommandFailed:
            return False
        return True

    def up(self) -> None:
        if self.is_up():
            return
        self.down()
        self._place.mkdir(parents=True, exist_ok=True)
        wanted = self._place / "kind.yaml"
        wanted.write_text(config(), encoding="utf-8")
        with Step("kind: creating the cluster"):
            run("kind", "create", "cluster", f"--config={wanted}", f"--kubeconfig={self.kubeconfig}", "--wait=180s",
                seconds=900)  # fmt: skip
        # The node has the kubectl of its own version.
        run("docker", "cp", f"{_NODE}:/usr/bin/kubectl", self.kubectl, seconds=60)
        self.kubectl.chmod(0o755)

    def down(self) -> None:
        run("kind", "delete", "cluster", f"--name={CLUSTER}", f"--kubeconfig={self.kubeconfig}", seconds=180)
        shutil.rmtree(self._place, ignore_errors=True)

    def load(self, images: Sequence[str]) -> None:
        for image in images:
            command = "image-archive" if image.endswith(".tar") else "docker-image"
            run("kind", "load", command, image, f"--name={CLUSTER}", seconds=300)

    def describe(self) -> str:
        return f"kind {VERSION} with {NODE_IMAGE.partition('@')[0]}, kubeconfig {self.kubeconfig}"
