"""Where pip gets its packages, when the environment says so: told to builds, and kept by no image."""

import os
from collections.abc import Mapping

_NAME = "PIP_INDEX_URL"


def build_args(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Options of a build; the value is taken from the environment, so that no list of processes shows it."""
    return [f"--build-arg={_NAME}"] if environment.get(_NAME) else []
