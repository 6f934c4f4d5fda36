"""Processes that outlive the one who starts them, found again by files."""

import os
import signal
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.cluster.processes.packages import SEARCH_PATH
from tests.servers.server import wait_until


class Daemons:
    """Everything that runs in one place. Each has the place as its working directory, by which it is known again."""

    def __init__(self, place: Path) -> None:
        self._place = place

    def start(self, name: str, command: Sequence[str]) -> None:
        """Start in a session of its own; what it prints goes to `log/<name>.log`."""
        self.log(name).parent.mkdir(parents=True, exist_ok=True)
        path = os.pathsep.join((os.environ.get("PATH", ""), SEARCH_PATH))
        with self.log(name).open("ab") as log:
            process = subprocess.Popen(
                list(command), cwd=self._place, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, env={**os.environ, "PATH": path},
            )  # fmt: skip
        process.returncode = 0  # It is meant to outlive us; nobody is to warn of it.
        self._pid_file(name).write_text(str(process.pid), encoding="utf-8")

    def log(self, name: str) -> Path:
        """Where it writes."""
        return self._place / "log" / f"{name}.log"

    def names(self) -> list[str]:
        """All that were started here, running or not."""
        return sorted(path.stem for path in self._place.glob("*.pid"))

    def running(self) -> list[str]:
        """All that run."""
        return [name for name in self.names() if self._pid(name) is not None]

    def end(self, names: Iterable[str], *, how: signal.Signals = signal.SIGKILL, seconds: float = 20) -> None:
        """End them and wait until they are gone; `SIGKILL` for those who take longer. Idempotent."""
        wanted = list(names)
        for sign in (how, signal.SIGKILL):
            pids = {name: pid for name in wanted if (pid := self._pid(name)) is not None}
            for pid in pids.values():
                _kill(pid, sign)
            try:
                wait_until(lambda: not any(map(self._pid, wanted)), ", ".join(pids), seconds=seconds)
                break
            except TimeoutError:
                continue
        for name in wanted:
            if self._pid(name) is None:
                self._pid_file(name).unlink(missing_ok=True)

    def _pid(self, name: str) -> int | None:
        """Its process; `None` when it is gone, also when a stranger has its number now."""
        try:
            pid = int(self._pid_file(name).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None
        _reap(pid)
        try:
            where = Path(f"/proc/{pid}/cwd").readlink()
        except OSError:
            return None
        return pid if str(where).removesuffix(" (deleted)") == str(self._place.resolve()) else None

    def _pid_file(self, name: str) -> Path:
        return self._place / f"{name}.pid"


def _kill(pid: int, sign: signal.Signals) -> None:
    try:
        os.kill(pid, sign)
    except ProcessLookupError:
        return


def _reap(pid: int) -> None:
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return  # Another run of this program started it.
