"""Leaving: by the user in the middle of talking, by the company while somebody waits."""

import json
import os
import pty
import select
import signal
import subprocess
import time

import pytest
from tests.waiting import eventually


def read_until(terminal, ending, *, within_seconds=20):
    """What the terminal shows up to this ending, or up to its end."""
    shown = b""
    deadline = time.monotonic() + within_seconds
    while not shown.endswith(ending):
        left = deadline - time.monotonic()
        assert left > 0, shown
        if select.select([terminal], [], [], left)[0]:
            try:
                shown += os.read(terminal, 4096)
            except OSError:
                break
    return shown


@pytest.mark.parametrize(("key", "code"), [(b"\x03", 130), (b"\x04", 0), (b"\n", 0)], ids=["ctrl-c", "ctrl-d", "empty"])
def test_a_talk_on_a_terminal_ends_at_once_when_asked(up, environment, words_of, tmp_path, key, code):
    with up():
        words = words_of("talk")
        process, terminal = pty.fork()
        if process == 0:
            os.chdir(tmp_path)
            os.execve(words[0], words, environment)
        try:
            read_until(terminal, b"> ")
            os.write(terminal, b"hello\n")
            assert b"turn 1" in read_until(terminal, b".\r\n> ")
            os.write(terminal, key)
            read_until(terminal, b"never shown")
            _, status = os.waitpid(process, 0)
        except BaseException:
            os.kill(process, signal.SIGKILL)
            raise
        finally:
            os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == code


@pytest.mark.parametrize("way", [signal.SIGTERM, signal.SIGKILL])
async def test_who_waits_is_told_that_the_order_is_kept_and_it_is(
    up, company, tmp_path, environment, words_of, aicompany, way
):
    # Nothing answers there, so the order waits for its retry for as long as is needed.
    text = company.read_text().replace("provider: offline", "provider: anthropic")
    company.write_text(text.replace("spec: {", "spec: {retry: {delaySeconds: 300}, "))
    environment |= {"ANTHROPIC_API_KEY": "sk-test", "ANTHROPIC_BASE_URL": "http://127.0.0.1:9"}
    with up() as process:
        waiting = subprocess.Popen(
            words_of("order", "Say hello", "--wait"), env=environment, cwd=tmp_path, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        (task,) = await eventually(lambda: json.loads(aicompany("tasks", "-o", "json").stdout or "[]"))
        process.send_signal(way)
        _, told = waiting.communicate(timeout=30)
        process.wait(timeout=30)
    assert waiting.returncode == 5, told
    assert f"order {task['id']}" in told
    assert "the next `aicompany up` carries it on" in told
    assert json.loads(aicompany("task", task["id"], "-o", "json").stdout)["state"] in {"submitted", "running"}
