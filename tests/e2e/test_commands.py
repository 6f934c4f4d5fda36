"""The commands against a company that runs in a process of its own, as people use them."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.waiting import eventually

COMPANY = """
apiVersion: aicompany.io/v1alpha1
kind: AICompany
metadata: {name: acme}
spec: {gateway: {port: 0}, model: {provider: offline}}
"""


class Desk:
    """A home with one company in it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("ANTHROPIC", "AICOMPANY", "XDG"))}
        self.environment = {**clean, "HOME": str(home)}
        self.state = home / ".local" / "state" / "aicompany" / "acme"
        (home / "company.yaml").write_text(COMPANY)

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "aicompany_desk.cli.main", *words]

    def run(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*words), input=stdin, capture_output=True, text=True, timeout=60, check=False,
            env=self.environment, cwd=self.home,
        )  # fmt: skip

    async def up(self) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            self.command("up", "company.yaml"), env=self.environment, cwd=self.home, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        place = self.state / "gateway.json"
        await eventually(
            lambda: place.exists() and json.loads(place.read_text())["pid"] == process.pid, within_seconds=30
        )
        return process


@pytest.fixture
def desk(tmp_path):
    return Desk(tmp_path)


async def test_order_wait_tasks_task_talk_status_and_a_clean_end(desk):
    process = await desk.up()
    try:
        placed = desk.run("order", "Say hello", "--priority", "high")
        assert (placed.returncode, "high lane" in placed.stdout) == (0, True)
        waited = desk.run("order", '["one", "two"]', "--wait")
        assert (waited.returncode, "plan: 1 phase, 2 steps" in waited.stderr) == (0, True)
        assert "## one" in waited.stdout
        piped = json.loads(desk.run("order", "-", "--wait", "-o", "json", stdin="Say good bye").stdout)
        assert piped["state"] == "completed"
        tasks = json.loads(desk.run("tasks", "-o", "json").stdout)
        assert [task["title"] for task in tasks] == ["Say good bye", '["one", "two"]', "Say hello"]
        assert "step_ended" in desk.run("task", tasks[0]["id"]).stdout
        assert "turn 1" in desk.run("talk", stdin="Good morning\n").stdout
        status = desk.run("status")
        assert "task.generalist-1" in status.stdout
        assert desk.run("dead", "list").stdout.strip() == "no dead letters"
        assert desk.run("dead", "replay", "--all").stdout.strip() == "0 sent again, 0 refused"
        assert desk.run("cancel", tasks[0]["id"]).returncode == 3
    finally:
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert "is up at http://127.0.0.1:" in out
    assert "offline" in out
    assert not (desk.state / "gateway.json").exists()
    process = await desk.up()
    try:
        assert "turn 2" in desk.run("talk", stdin="Still there?\n").stdout
    finally:
        process.kill()
        process.communicate()
    assert desk.run("tasks").returncode == 0, "the address it left behind is not believed"
    assert desk.run("order", "x").returncode == 5
