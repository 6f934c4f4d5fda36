"""The tutorial's commands, in their order, as its reader would type them."""

import os
import re
import subprocess

import pytest
from tests.cluster.places import ROOT

pytestmark = pytest.mark.timeout(3600)
PAGE = (ROOT / "docs" / "tutorials" / "on-a-cluster.md").read_text(encoding="utf-8")
COMMAND = re.compile(r"^\$ ((?:.*\\\n)*.*)$", re.MULTILINE)


def test_every_command_of_the_page_does_what_it_says(kubectl, kubeconfig):
    kubectl("delete", "namespace", "docs-try", "--ignore-not-found", "--timeout=90s", seconds=100)
    commands = [found.replace("\\\n", " ") for found in COMMAND.findall(PAGE)]
    assert len(commands) > 10
    try:
        for command in commands:
            done = subprocess.run(
                ["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, timeout=180, check=False,
                env={**os.environ, "KUBECONFIG": str(kubeconfig)},
            )  # fmt: skip
            assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    finally:
        kubectl("delete", "namespace", "docs-try", "--ignore-not-found", "--timeout=90s", seconds=100)
