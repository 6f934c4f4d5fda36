"""Kubernetes and its companions, built out of Go modules once and kept in the cache."""

import fcntl
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.commands import CommandFailed, Step, run
from tests.cluster.places import cache

MODULES = Path(__file__).parent / "modules"
_BUILD_SECONDS = 1800.0
_VERSION_OF = "k8s.io/component-base/version"


@dataclass(frozen=True, slots=True)
class Program:
    """One program, and the module whose version it has."""

    name: str
    package: str
    module: str
    folder: str
    """The folder under `modules/` whose go.mod pins it."""

    @property
    def version(self) -> str:
        """What go.mod pins. Raises `LookupError`."""
        text = (MODULES / self.folder / "go.mod").read_text(encoding="utf-8")
        found = re.search(rf"^(?:require)?\s+{re.escape(self.module)} (v\S+)", text, re.MULTILINE)
        if found is None:
            raise LookupError(f"{self.folder}/go.mod does not pin {self.module}")
        return found[1]

    @property
    def linker_flags(self) -> str:
        """Without symbols; Kubernetes is told its version, since nothing else tells it."""
        if self.folder != "kubernetes":
            return "-s -w"
        major, minor, _ = self.version.removeprefix("v").split(".", 2)
        told = {"gitVersion": self.version, "gitMajor": major, "gitMinor": minor}
        return " ".join(["-s -w", *(f"-X {_VERSION_OF}.{name}={value}" for name, value in told.items())])


def _kubernetes(name: str) -> Program:
    return Program(name, f"k8s.io/kubernetes/cmd/{name}", "k8s.io/kubernetes", "kubernetes")


CONTROL_PLANE = tuple(map(_kubernetes, ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl")))
KWOK = Program("kwok", "sigs.k8s.io/kwok/cmd/kwok", "sigs.k8s.io/kwok", "kwok")
LIGHT = (*CONTROL_PLANE, KWOK)
ALL = (
    *CONTROL_PLANE,
    _kubernetes("kubelet"),
    _kubernetes("kube-proxy"),
    Program("coredns", "github.com/coredns/coredns", "github.com/coredns/coredns", "coredns"),
    Program("helm", "helm.sh/helm/v3/cmd/helm", "helm.sh/helm/v3", "helm"),
)


def binaries() -> Path:
    """The folder that the programs are in."""
    return cache() / "bin"


def outdated(programs: Sequence[Program]) -> list[Program]:
    """Those that are not there in the version that is wanted."""
    return [program for program in programs if _version_here(program) != program.version]


def build(programs: Sequence[Program]) -> None:
    """Build what is outdated; one builder at a time. Raises `CommandFailed`."""
    if not outdated(programs):
        return
    with _alone():
        for program in outdated(programs):
            with Step(f"building {program.name} {program.version}"):
                _build(program)


def _build(program: Program) -> None:
    target = binaries() / program.name
    part = target.with_suffix(".part")
    run("go", "build", "-trimpath", "-ldflags", program.linker_flags, "-o", part, program.package,
        seconds=_BUILD_SECONDS, cwd=MODULES / program.folder, env={"CGO_ENABLED": "0"})  # fmt: skip
    part.replace(target)
    _stamp(program).write_text(program.version, encoding="utf-8")


def _version_here(program: Program) -> str | None:
    binary, stamp = binaries() / program.name, _stamp(program)
    if not binary.exists():
        return None
    if not stamp.exists():
        _adopt(program, binary)
    return stamp.read_text(encoding="utf-8") if stamp.exists() else None


def _adopt(program: Program, binary: Path) -> None:
    """Stamp what somebody else built with the version that the binary itself names."""
    try:
        said = run("go", "version", "-m", binary, seconds=30)
    except CommandFailed:
        return
    version = version_in(said, program.module)
    if version is not None:
        _stamp(program).write_text(version, encoding="utf-8")


def version_in(build_information: str, module: str) -> str | None:
    """The module's version in what `go version -m` prints."""
    found = re.search(rf"^\s+(?:dep|mod)\s+{re.escape(module)}\s+(v\S+)", build_information, re.MULTILINE)
    return found[1] if found else None


def _stamp(program: Program) -> Path:
    return binaries() / f"{program.name}.version"


@contextmanager
def _alone() -> Iterator[None]:
    binaries().mkdir(parents=True, exist_ok=True)
    with (cache() / "build.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
