"""Memory of an idle company."""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from bench.figures import figure, heading

SETTLED_SECONDS = 3.0


def resident(environment: dict[str, str]) -> tuple[float, float]:
    """Resident MiB of an idle company once it has settled, and the share of a core it uses then."""
    with tempfile.TemporaryDirectory() as state:
        command = [sys.executable, "-m", "aicompany_desk.cli.main", "up", "examples/company.yaml", "--state", state]
        variables = {**os.environ, "AICOMPANY_GATEWAY__PORT": "0", **environment}
        with subprocess.Popen(command, env=variables, stdout=subprocess.DEVNULL) as process:
            try:
                place = Path(state) / "gateway.json"
                deadline = time.monotonic() + 30
                while not place.exists() and time.monotonic() < deadline:
                    time.sleep(0.05)
                assert json.loads(place.read_text())["pid"] == process.pid
                watched = psutil.Process(process.pid)
                watched.cpu_percent()
                time.sleep(SETTLED_SECONDS)
                return watched.memory_info().rss / 2**20, watched.cpu_percent()
            finally:
                process.terminate()


def main() -> None:
    heading("an idle company: gateway, three agents, every role")
    offline, busy = resident({"AICOMPANY_MODEL__PROVIDER": "offline"})
    figure("resident, offline", "≤ 120 MiB", f"{offline:.0f} MiB")
    figure("CPU while idle, offline", "-", f"{busy:.1f} %")
    claude, _ = resident({"ANTHROPIC_API_KEY": "sk-bench", "ANTHROPIC_BASE_URL": "http://127.0.0.1:9"})
    figure("resident, with the Claude SDK loaded", "≤ 160 MiB", f"{claude:.0f} MiB")


if __name__ == "__main__":
    main()
