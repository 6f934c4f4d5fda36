"""The definition of `AICompany` on an API server."""

import json
from collections.abc import Callable
from pathlib import Path

from tests.waiting import until


def establish(kubectl: Callable[..., str], definition: Path) -> None:
    """Apply it, and wait until companies can be made.

    `kubectl wait --for=condition=Established` ends with an error while a new definition has no conditions at all.
    """
    kubectl("apply", "--server-side", "-f", str(definition))

    def is_established() -> bool:
        status = json.loads(kubectl("get", "crd/aicompanies.aicompany.io", "-o", "json")).get("status", {})
        conditions = status.get("conditions") or ()
        return any(each["type"] == "Established" and each["status"] == "True" for each in conditions)

    until(is_established, within_seconds=30)
