"""Debian's packages that the cluster stands on, installed without starting any of their services."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.cluster import machine
from tests.cluster.commands import Step, run

# Each program by which a package is recognised, and the package.
LIGHT = (("etcd", "etcd-server"), ("openssl", "openssl"))
NODE = (
    ("containerd", "containerd"),
    ("runc", "runc"),
    ("/usr/lib/cni/bridge", "containernetworking-plugins"),
    ("buildah", "buildah"),
    ("debootstrap", "debootstrap"),
    ("ip", "iproute2"),
    ("iptables", "iptables"),
    ("conntrack", "conntrack"),
    ("gcc", "gcc"),
    ("/usr/include/stdlib.h", "libc6-dev"),
)
SEARCH_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_POLICY = Path("/usr/sbin/policy-rc.d")


def missing(wanted: Sequence[tuple[str, str]]) -> list[str]:
    """The packages that are not here."""
    return [package for program, package in wanted if not _is_here(program)]


def install(wanted: Sequence[tuple[str, str]]) -> None:
    """Install what is missing. Raises `CommandFailed`."""
    names = missing(wanted)
    if not names:
        return
    with Step(f"installing {' '.join(names)}"), _no_service_starts():
        environment = {"DEBIAN_FRONTEND": "noninteractive"}
        run("apt-get", "update", "-q", seconds=300, env=environment)
        run("apt-get", "install", "-y", "-q", "--no-install-recommends", *names, seconds=900, env=environment)


def can_install() -> bool:
    """Whether packages can be had at all."""
    return machine.is_debian() and machine.is_root()


def _is_here(program: str) -> bool:
    return Path(program).exists() if "/" in program else shutil.which(program, path=SEARCH_PATH) is not None


@contextmanager
def _no_service_starts() -> Iterator[None]:
    # Debian starts what it installs, unless this file says no.
    if _POLICY.exists():
        yield
        return
    _POLICY.write_text("#!/bin/sh\nexit 101\n")
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _POLICY.unlink(missing_ok=True)
