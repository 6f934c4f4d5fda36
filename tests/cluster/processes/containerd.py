"""The node's containerd: where it listens, and its command line."""

import socket
from pathlib import Path

from tests.cluster.commands import CommandFailed, run

# A socket's path has at most 107 bytes, so this is not below the cache.
STATE = Path("/run/aicompany-cluster")
SOCKET = STATE / "containerd.sock"
_OWNER = STATE / "owner"


def claim(place: Path) -> None:
    """Make the state's folder this cluster's. Raises `CommandFailed` when another cluster lives there."""
    if not is_owned_by(place) and is_answering():
        raise CommandFailed(f"another cluster lives in {STATE}; end it first")
    STATE.mkdir(parents=True, exist_ok=True)
    _OWNER.write_text(str(place), encoding="utf-8")


def is_owned_by(place: Path) -> bool:
    """Whether the state's folder belongs to the cluster of this place; nobody else may end what is in it."""
    try:
        return _OWNER.read_text(encoding="utf-8") == str(place)
    except FileNotFoundError:
        return False


def is_answering() -> bool:
    """Whether some containerd listens there."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(5)
        return probe.connect_ex(str(SOCKET)) == 0


def ctr(*words: str | Path, seconds: float = 60) -> str:
    """One command to containerd, about what Kubernetes has there. Raises `CommandFailed`."""
    return run("ctr", f"--address={SOCKET}", "--namespace=k8s.io", *words, seconds=seconds)


def serves_pods() -> bool:
    """Whether kubelet's interface is there."""
    try:
        plugins = ctr("plugins", "ls", seconds=10)
    except CommandFailed:
        return False
    return any(line.split()[1:2] == ["cri"] and line.split()[-1] == "ok" for line in plugins.splitlines())
