"""The definition of `AICompany` on an API server."""

from collections.abc import Callable
from pathlib import Path

from tests.waiting import until


def establish(kubectl: Callable[..., str], definition: Path) -> None:
    """Apply it, and wait until companies can be made.

    Not by `kubectl wait`, which ends with an error while a new definition has no conditions at all.
    """
    kubectl("apply", "--server-side", "-f", str(definition))
    until(lambda: kubectl("get", "aico", "--all-namespaces", "-o", "json"), within_seconds=30)
