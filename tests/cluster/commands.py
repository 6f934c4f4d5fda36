"""Running programs: with a deadline, and with what they said when they fail."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path


class CommandFailed(Exception):
    """A program ended with an error; the message has the last lines it printed."""


def run(
    *command: str | Path,
    seconds: float,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    log: Path | None = None,
) -> str:
    """Run to the end and return what it printed. Raises `CommandFailed`, also when it takes too long."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words, cwd=cwd, env={**os.environ, **(env or {})}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, timeout=seconds, check=False, text=True, errors="replace",
        )  # fmt: skip
    except FileNotFoundError as error:
        raise CommandFailed(f"{words[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise CommandFailed(f"{' '.join(words[:3])} did not end within {seconds:g} s") from error
    if log is not None:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(done.stdout)
    if done.returncode != 0:
        last = "\n".join(done.stdout.strip().splitlines()[-15:])
        raise CommandFailed(f"{' '.join(words[:4])} ended with {done.returncode}:\n{last}")
    return done.stdout


class Step:
    """One line about a long piece of work, with its time when it is done."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._begun = 0.0

    def __enter__(self) -> None:
        self._begun = time.monotonic()
        print(f"{self._what} ...", file=sys.stderr, flush=True)

    def __exit__(self, *error: object) -> None:
        state = "failed" if error[0] else "done"
        print(f"{self._what}: {state} in {time.monotonic() - self._begun:.0f} s", file=sys.stderr, flush=True)
