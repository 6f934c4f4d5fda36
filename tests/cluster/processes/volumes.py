"""Volumes that pods of any user may write to: the controller manager makes their folders for root alone.

Run as a daemon of its own, for as long as the cluster is up; provisioners of real clusters do the same.
"""

import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

FOLDER = Path("/tmp/hostpath_pv")
"""Where the controller manager makes them; it is a constant there."""

_AGAIN_SECONDS = 1.0


def volumes(kubectl: Path, kubeconfig: Path) -> list[str]:
    """The daemon."""
    return [sys.executable, str(Path(__file__)), str(kubectl), f"--kubeconfig={kubeconfig}"]


def open_to_all(paths: Iterable[str]) -> None:
    """Open the folders among them that are volumes."""
    for path in map(Path, paths):
        if path.parent == FOLDER and path.is_dir():
            path.chmod(0o777)


def _made(words: list[str]) -> Iterator[str]:
    """The folder of every volume that there is or will be, until the API server is gone or tired."""
    watch = [*words, "get", "persistentvolumes", "--watch", '--output=jsonpath={.spec.hostPath.path}{"\\n"}']
    with subprocess.Popen(watch, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            yield line.strip()


def main() -> None:
    """Without an end: it is ended with the cluster."""
    pause = threading.Event()
    while True:
        open_to_all(_made(sys.argv[1:]))
        pause.wait(_AGAIN_SECONDS)


if __name__ == "__main__":
    main()
