"""What this machine can run: facts gathered once, and judged without looking again."""

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.commands import CommandFailed, run

GO_NEEDED = (1, 24)


@dataclass(frozen=True, slots=True)
class Machine:
    """Facts that decide which cluster fits."""

    docker_works: bool
    kind_version: str | None
    """Of the `kind` on the path; `None`: there is none."""
    runs_privileged: bool
    """Whether Docker runs privileged containers. Only asked when kind could be used."""
    is_root: bool
    is_debian: bool
    go: tuple[int, int] | None
    """Major and minor version; `None`: there is none."""
    has_binaries: bool
    """Whether all programs of the process cluster are in the cache, in the versions that are wanted."""


def go_version() -> tuple[int, int] | None:
    """Of the Go on the path; it fetches a newer one by itself when a module asks for it."""
    try:
        said = run("go", "env", "GOVERSION", seconds=30)
    except CommandFailed:
        return None
    found = re.search(r"go(\d+)\.(\d+)", said)
    return (int(found[1]), int(found[2])) if found else None


def docker_works() -> bool:
    """Whether an engine answers."""
    try:
        run("docker", "info", seconds=30)
    except CommandFailed:
        return False
    return True


def is_debian() -> bool:
    """Debian, with its package manager."""
    return Path("/etc/debian_version").exists() and shutil.which("apt-get") is not None


def is_root() -> bool:
    """Whether links, mounts and containers can be made."""
    return os.geteuid() == 0
