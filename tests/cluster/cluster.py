"""The cluster that tests run against, whichever this machine can carry."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from tests.cluster import kind, machine
from tests.cluster.machine import GO_NEEDED, Machine
from tests.cluster.processes import build
from tests.cluster.processes.cluster import ProcessCluster


class ClusterMissing(Exception):
    """No cluster can run here; the text says why, for each kind of cluster."""


class Cluster(Protocol):
    """One Kubernetes with a node that runs pods."""

    @property
    def name(self) -> str:
        """`kind` or `processes`."""

    @property
    def enforces_network_policies(self) -> bool:
        """Whether a NetworkPolicy keeps packets away."""

    @property
    def kubeconfig(self) -> Path:
        """The administrator's; exists while the cluster is up."""

    @property
    def kubectl(self) -> Path:
        """A kubectl of a fitting version; exists once the cluster was up."""

    def is_up(self) -> bool:
        """Whether the API answers and the node is ready."""

    def up(self) -> None:
        """Bring it up, from whatever is left of an earlier one. Idempotent. Raises `CommandFailed`, `TimeoutError`."""

    def down(self) -> None:
        """Away with everything but what is cached. Idempotent, also after a crash."""

    def load(self, images: Sequence[str]) -> None:
        """Into the node: images that were built here, by tag or as archives (`*.tar`). Raises `CommandFailed`."""

    def describe(self) -> str:
        """What it is and where, in a line."""


def choose() -> Cluster:
    """kind where it can run, else the process cluster. Raises `ClusterMissing`."""
    if pick(look()) == kind.NAME:
        return kind.KindCluster()
    return ProcessCluster()


def look() -> Machine:
    """The facts about this machine."""
    docker = machine.docker_works()
    version = kind.version()
    return Machine(
        docker_works=docker,
        kind_version=version,
        runs_privileged=docker and version == kind.VERSION and kind.runs_privileged(),
        is_root=machine.is_root(),
        is_debian=machine.is_debian(),
        go=machine.go_version(),
        has_binaries=not build.outdated(build.ALL),
    )


def pick(seen: Machine) -> str:
    """The name of the cluster that fits. Raises `ClusterMissing` with what is in the way of each."""
    against_kind = _against_kind(seen)
    if not against_kind:
        return kind.NAME
    against_processes = _against_processes(seen)
    if not against_processes:
        return ProcessCluster.name
    raise ClusterMissing(f"no cluster: kind {against_kind}; processes {against_processes}")


def _against_kind(seen: Machine) -> str:
    if not seen.docker_works:
        return "needs Docker, whose engine does not answer"
    if seen.kind_version is None:
        return f"is not installed, {kind.VERSION} is wanted"
    if seen.kind_version != kind.VERSION:
        return f"is {seen.kind_version}, {kind.VERSION} is wanted"
    if not seen.runs_privileged:
        return "needs privileged containers, which Docker does not run here"
    return ""


def _against_processes(seen: Machine) -> str:
    if not seen.is_debian:
        return "need Debian"
    if not seen.is_root:
        return "need root"
    if not seen.has_binaries and (seen.go is None or seen.go < GO_NEEDED):
        found = "none is here" if seen.go is None else f"{seen.go[0]}.{seen.go[1]} is here"
        return f"need Go {GO_NEEDED[0]}.{GO_NEEDED[1]} or newer to be built, {found}"
    return ""
