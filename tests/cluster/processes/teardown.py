"""Away with the cluster, whatever is left of it. Each step does without what the others find gone."""

import re
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from tests.cluster.commands import CommandFailed, run
from tests.cluster.processes import containerd, control_plane, volumes
from tests.cluster.processes.containerd import STATE, ctr
from tests.cluster.processes.control_plane import ControlPlane
from tests.cluster.processes.daemons import Daemons
from tests.cluster.processes.node import NODE_LINK, POD_LINK, POD_NETWORK
from tests.servers.server import wait_until

_NETWORK_CACHE = Path("/var/lib/cni/results")
_CGROUPS = Path("/sys/fs/cgroup")
_MARK = "made-by-tests-cluster"


def tear_down(plane: ControlPlane, daemons: Daemons) -> None:
    """Processes, containers, mounts, cgroups, network namespaces, rules and links, then the files. Idempotent.

    What another cluster owns is left alone. Raises `CommandFailed` for another's, and when something stays mounted.
    """
    if not plane.place.exists() and not containerd.is_owned_by(plane.place):
        return
    if plane.place.exists() and not is_marked(plane.place):
        raise CommandFailed(f"the cluster in {plane.place} was brought up by something else; it is left as it is")
    if not containerd.is_owned_by(plane.place) and containerd.is_answering():
        raise CommandFailed(f"the cluster in {STATE} was brought up by somebody else; it is left as it is")
    folders = volumes_of(plane)
    # Who starts containers ends first, then the containers, then who holds them.
    daemons.end(name for name in daemons.names() if name != "containerd")
    if containerd.is_owned_by(plane.place):
        _end_containers()
    daemons.end(["containerd"])
    unmount(plane.place)
    _remove_rules(plane)
    if containerd.is_owned_by(plane.place):
        unmount(STATE)
        # A mount may have hidden whose folder this is.
        if containerd.is_owned_by(plane.place):
            remove(STATE)
        for link in (POD_LINK, NODE_LINK):
            if Path("/sys/class/net", link).exists():
                _try("ip", "link", "delete", link)
        _remove_cgroups()
    for path in (*folders, *_NETWORK_CACHE.glob(f"{POD_NETWORK}-*"), plane.place):
        remove(path)


def mark(place: Path) -> None:
    """Make the cluster's folder; its mark says that it may be torn down."""
    place.mkdir(parents=True)
    (place / _MARK).touch()


def is_marked(place: Path) -> bool:
    """Whether it was made here. The mark is a file of its own: sockets and processes may be gone after a crash."""
    return (place / _MARK).exists()


def volumes_of(plane: ControlPlane) -> list[Path]:
    """The folders that the controller manager made for volumes; none when the API is gone."""
    if not (plane.kubeconfig.exists() and plane.kubectl.exists() and control_plane.is_ready(plane)):
        return []
    try:
        said = control_plane.kubectl(plane, "get", "pv", "-o=jsonpath={.items[*].spec.hostPath.path}", seconds=10)
    except CommandFailed:
        return []
    return [path for word in said.split() if (path := Path(word)).parent == volumes.FOLDER]


def unmount(place: Path) -> None:
    """Unmount everything in or below a place once. Raises `CommandFailed` when something is mounted there still.

    A mount may hide others, which are somebody else's: they are not touched, and the place must not be removed.
    """
    for target in mounts_below([place], _mounts()):
        _try("umount", "--lazy", target)
    left = mounts_below([place], _mounts())
    if left:
        raise CommandFailed(f"{left[0]} is still mounted; {place} is left as it is")


def mounts_below(places: Iterable[Path], mounts: str) -> list[str]:
    """The mount points in or below these places, the deepest first, as /proc/mounts tells them."""
    tops = [str(place) for place in places]
    points = [line.split()[1] for line in mounts.splitlines()]
    found = [point for point in points if any(point == top or point.startswith(f"{top}/") for top in tops)]
    return sorted(found, reverse=True)


def masquerading(rules: str) -> list[tuple[list[str], str]]:
    """Of `iptables -S`: the rules of the pods' network, as arguments that delete each, and the chain they lead to."""
    found = []
    for line in rules.splitlines():
        target = re.search(r"-j (CNI-\S+)", line)
        if target is not None and f'name: \\"{POD_NETWORK}\\"' in line:
            source = re.search(r"-s (\S+)", line)
            comment = re.search(r'--comment "((?:[^"\\]|\\.)*)"', line)
            words = ["-D", "POSTROUTING"]
            words += ["-s", source[1]] if source else []
            words += ["-m", "comment", "--comment", comment[1].replace('\\"', '"')] if comment else []
            found.append(([*words, "-j", target[1]], target[1]))
    return found


def _mounts() -> str:
    return Path("/proc/self/mounts").read_text(encoding="utf-8")


def _end_containers() -> None:
    if not (STATE / "containerd.sock").exists():
        return
    for task in _listed("tasks"):
        _try_ctr("tasks", "kill", "--signal=SIGKILL", task)
    with suppress(TimeoutError):
        wait_until(lambda: not _running_tasks(), "the containers' end", seconds=10)
    for task in _listed("tasks"):
        _try_ctr("tasks", "rm", "--force", task)
    for container in _listed("containers"):
        _try_ctr("containers", "rm", container)


def _listed(what: str) -> list[str]:
    return _try_ctr(what, "ls", "--quiet").split()


def _running_tasks() -> list[str]:
    lines = _try_ctr("tasks", "ls").splitlines()[1:]
    return [line for line in lines if line.split()[-1] == "RUNNING"]


def _remove_rules(plane: ControlPlane) -> None:
    if (plane.binaries / "kube-proxy").exists() and (plane.place / "proxy.yaml").exists():
        _try(str(plane.binaries / "kube-proxy"), f"--config={plane.place / 'proxy.yaml'}", "--cleanup")
    for deletion, chain in masquerading(_try("iptables", "-t", "nat", "-S", "POSTROUTING")):
        _try("iptables", "-t", "nat", *deletion)
        _try("iptables", "-t", "nat", "-F", chain)
        _try("iptables", "-t", "nat", "-X", chain)


def _remove_cgroups() -> None:
    """The kubelet's, which are empty now. One with a process in it cannot be removed, and stays."""
    for top in (*_CGROUPS.glob("kubepods"), *_CGROUPS.glob("*/kubepods")):
        for group in sorted((path for path in top.rglob("*") if path.is_dir()), reverse=True):
            with suppress(OSError):
                group.rmdir()
        with suppress(OSError):
            top.rmdir()


def remove(path: Path) -> None:
    """A file or a whole folder. Idempotent. Raises `CommandFailed` rather than delete what is mounted below it."""
    left = mounts_below([path], _mounts())
    if left:
        raise CommandFailed(f"{left[0]} is mounted; {path} is left as it is")
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _try(*command: str) -> str:
    try:
        return run(*command, seconds=60)
    except CommandFailed:
        return ""


def _try_ctr(*words: str) -> str:
    try:
        return ctr(*words, seconds=10)
    except CommandFailed:
        return ""
