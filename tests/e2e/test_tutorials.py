"""The tutorials, run as they are written: `$` lines one after another, `&` lines beside them."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.waiting import eventually

ROOT = Path(__file__).parents[2]
TUTORIALS = sorted((ROOT / "docs" / "tutorials").glob("*.md"))


@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
async def test_every_command_of_the_tutorial_works(page, tmp_path):
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("ANTHROPIC", "AICOMPANY", "XDG"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{clean['PATH']}"
    environment = {**clean, "PATH": path, "HOME": str(tmp_path), "AICOMPANY_GATEWAY__PORT": "0"}
    blocks = re.findall(r"```console\n(.*?)```", page.read_text(), re.DOTALL)
    beside = []
    try:
        for line in "".join(blocks).splitlines():
            if line.startswith("& "):
                beside.append(subprocess.Popen(line[2:].split(), cwd=ROOT, env=environment))
                await eventually(lambda: list(tmp_path.rglob("gateway.json")), within_seconds=30)
            else:
                done = subprocess.run(
                    line.removeprefix("$ "), shell=True, cwd=ROOT, env=environment, capture_output=True, text=True,
                    timeout=60, check=False,
                )  # fmt: skip
                assert done.returncode == 0, f"{line}\n{done.stderr}"
    finally:
        for process in beside:
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 0
    assert len(blocks) >= 3
