"""kubectl, as a person would call it."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster.commands import CommandFailed, run

_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Kubectl:
    """One kubectl with one cluster."""

    program: Path
    kubeconfig: Path

    def __call__(self, *arguments: str | Path, seconds: float = _SECONDS) -> str:
        """What it prints. Raises `CommandFailed` with what it says."""
        return run(self.program, f"--kubeconfig={self.kubeconfig}", *arguments, seconds=seconds)

    def get(self, kind: str, name: str, namespace: str = "default") -> dict[str, Any] | None:
        """The object, `None` when there is none."""
        try:
            found: dict[str, Any] = json.loads(self("get", kind, name, "-n", namespace, "-o", "json"))
        except CommandFailed as failed:
            if "NotFound" in str(failed) or "not found" in str(failed):
                return None
            raise
        return found

    def list(self, kind: str, namespace: str = "default", selector: str = "") -> list[dict[str, Any]]:
        """All of a kind."""
        only = (f"--selector={selector}",) if selector else ()
        found: dict[str, Any] = json.loads(self("get", kind, "-n", namespace, *only, "-o", "json"))
        return list(found["items"])

    def apply(self, manifest: dict[str, Any] | str) -> str:
        """Apply what is not in a file. Raises `CommandFailed` with the API server's sentence."""
        text = manifest if isinstance(manifest, str) else json.dumps(manifest)
        done = subprocess.run(
            [str(self.program), f"--kubeconfig={self.kubeconfig}", "apply", "-f", "-"],
            input=text, capture_output=True, text=True, timeout=_SECONDS, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise CommandFailed(done.stderr.strip())
        return done.stdout
