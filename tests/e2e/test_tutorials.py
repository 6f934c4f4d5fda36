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
TUTORIALS = sorted(page for page in (ROOT / "docs" / "tutorials").glob("*.md") if page.stem != "on-a-cluster")
"""The one that needs a cluster is tried on one, in tests/e2e_cluster."""
SERVERS = {
    "AICOMPANY_BROKER__URL": "rabbitmq_url",
    "AICOMPANY_STORE__URL": "postgres_url",
    "AICOMPANY_CACHE__URL": "redis_url",
}


@pytest.fixture
def page(request: pytest.FixtureRequest) -> Path:
    """One tutorial."""
    return request.param


@pytest.fixture
def addresses(request: pytest.FixtureRequest, page: Path) -> dict[str, str]:
    """What the page says must be exported: the addresses of real servers."""
    text = page.read_text()
    return {name: request.getfixturevalue(server) for name, server in SERVERS.items() if f"export {name}=" in text}


@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem, indirect=True)
async def test_every_command_of_the_tutorial_works(page, addresses, tmp_path):
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("ANTHROPIC", "AICOMPANY", "XDG"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{clean['PATH']}"
    own = {"PATH": path, "HOME": str(tmp_path), "AICOMPANY_GATEWAY__PORT": "0"}
    environment = {**clean, **own, **addresses}
    blocks = re.findall(r"```console\n(.*?)```", page.read_text(), re.DOTALL)
    beside: list[subprocess.Popen[bytes]] = []
    try:
        for line in "".join(blocks).splitlines():
            if line.startswith("& "):
                beside.append(subprocess.Popen(line[2:].split(), cwd=ROOT, env=environment))
                await eventually(lambda: list(tmp_path.rglob("gateway.json")), within_seconds=30)
            elif line.startswith("$ kill %?"):
                end(job_of(line.removeprefix("$ kill %?"), beside), signal.SIGTERM)
            else:
                done = subprocess.run(
                    line.removeprefix("$ "), shell=True, cwd=ROOT, env=environment, capture_output=True, text=True,
                    timeout=60, check=False,
                )  # fmt: skip
                assert done.returncode == 0, f"{line}\n{done.stderr}"
    finally:
        for process in beside:
            if process.poll() is None:
                end(process, signal.SIGINT)
    assert len(blocks) >= 3


def job_of(words: str, beside: list[subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
    """The job whose command has these words, as a shell finds it."""
    (job,) = (process for process in beside if process.poll() is None and words in " ".join(map(str, process.args)))
    return job


def end(process: subprocess.Popen[bytes], how: signal.Signals) -> None:
    process.send_signal(how)
    assert process.wait(60) == 0
