"""Our commands as a user calls them, as processes."""

import subprocess
from pathlib import Path

from tests.cluster.places import ROOT
from tests.e2e_cluster.conftest import COMPANY, NAMESPACE

_BIN = ROOT / ".venv" / "bin"


def aicompany(kubeconfig: Path, *arguments: str, seconds: float = 120) -> subprocess.CompletedProcess[str]:
    """`aicompany …` for the company of the tests."""
    return _run(_BIN / "aicompany", kubeconfig, *arguments, "--company", COMPANY, "-n", NAMESPACE, seconds=seconds)


def kubectl_aicompany(kubeconfig: Path, *arguments: str, seconds: float = 60) -> subprocess.CompletedProcess[str]:
    """`kubectl aicompany …` in the namespace of the tests."""
    return _run(_BIN / "kubectl-aicompany", kubeconfig, *arguments, "-n", NAMESPACE, seconds=seconds)


def _run(program: Path, kubeconfig: Path, *arguments: str, seconds: float) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "KUBECONFIG": str(kubeconfig)}
    return subprocess.run(
        [str(program), *arguments], capture_output=True, text=True, timeout=seconds, check=False, env=environment
    )
