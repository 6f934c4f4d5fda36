"""The command line in a home of its own, always as a process of its own."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

GOOD = "apiVersion: aicompany.io/v1alpha1\nkind: AICompany\nmetadata: {name: acme}\n"

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """What a fresh user's commands find around them."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("ANTHROPIC", "AICOMPANY", "XDG"))}
    return {**clean, "HOME": str(tmp_path)}


@pytest.fixture
def words_of() -> Callable[..., list[str]]:
    """A command as the system wants it."""
    return lambda *words: [sys.executable, "-m", "aicompany_desk.cli.main", *map(str, words)]


@pytest.fixture
def aicompany(tmp_path: Path, environment: dict[str, str], words_of: Callable[..., list[str]]) -> Run:
    """Run a command; whatever happens, nobody sees a trace."""

    def run(*words, stdin="", **more):
        done = subprocess.run(
            words_of(*words), input=stdin, capture_output=True, text=True, timeout=60, cwd=tmp_path, check=False,
            env={**environment, **more.get("environment", {})},
        )  # fmt: skip
        assert "Traceback" not in done.stdout + done.stderr
        assert "a bug in the program" not in done.stderr
        return done

    return run


@pytest.fixture
def company(tmp_path: Path) -> Path:
    """A company's file."""
    path = tmp_path / "company.yaml"
    path.write_text(GOOD + "spec: {gateway: {port: 0}, model: {provider: offline}}\n")
    return path


@pytest.fixture
def up(tmp_path, company, environment, words_of) -> Callable[[], AbstractContextManager]:
    """A company that is up in a process of its own, its state where commands look for it."""

    @contextmanager
    def started() -> Iterator[subprocess.Popen[str]]:
        process = subprocess.Popen(
            words_of("up", company), env=environment, cwd=tmp_path, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        try:
            assert "is up at" in process.stdout.readline()
            yield process
        finally:
            process.kill()
            process.communicate()

    return started
