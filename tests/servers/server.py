"""A real server for tests: started on loopback in a directory of its own, ended by those who started it."""

import os
import random
import shutil
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

_STOP_SECONDS = 30.0


class ServerMissing(Exception):
    """Neither Docker nor the Debian package is here; the text says what to install."""


class Server(ABC):
    """Started, stopped, killed and started again as often as a test likes; its address stays the same."""

    url: str

    @abstractmethod
    def start(self) -> None:
        """Start, and return when it answers."""

    @abstractmethod
    def stop(self) -> None:
        """End in an orderly way. Idempotent."""

    @abstractmethod
    def kill(self) -> None:
        """End at once, as a power cut does. Idempotent."""

    def end(self) -> None:
        """Away for good, with all it left."""
        self.kill()

    def restart(self) -> None:
        """Stop and start."""
        self.stop()
        self.start()


def free_port() -> int:
    """A port that is free now, and that the system gives to no outgoing connection while its server is away."""
    while True:
        port = random.randrange(15_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def wait_until(answers: Callable[[], bool], what: str, *, seconds: float = 90.0, log: Path | None = None) -> None:
    """Poll until it answers. Raises `TimeoutError` with the end of the server's log."""
    deadline = time.monotonic() + seconds
    while not answers():
        if time.monotonic() > deadline:
            tail = log.read_text(errors="replace")[-2000:] if log and log.exists() else ""
            raise TimeoutError(f"{what} did not answer within {seconds:g} s\n{tail}")
        time.sleep(0.05)


def can_connect(port: int) -> bool:
    """Whether somebody listens."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


class ProcessServer(Server):
    """A server that is one foreground process, with what it starts, in a session of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.log = directory / "server.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process, when it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def _spawn(self, command: Sequence[str], environment: Mapping[str, str], *, user: str | None = None) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, env={**os.environ, **environment}, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, cwd=self.directory, user=user,
            )  # fmt: skip

    def _end(self, sign: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(ProcessLookupError):
            process.send_signal(sign)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._kill_session(process.pid)
            process.wait(_STOP_SECONDS)
        self._kill_session(process.pid)

    @staticmethod
    def _kill_session(pid: int) -> None:
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)

    def kill(self) -> None:
        """SIGKILL to the process and all it started."""
        if self._process is not None:
            self._kill_session(self._process.pid)
            self._process.wait(_STOP_SECONDS)
            self._process = None


def docker_works() -> bool:
    """Whether containers can be started here."""
    if os.environ.get("AICOMPANY_TEST_SERVERS") == "debian" or shutil.which("docker") is None:
        return False
    found = subprocess.run(["docker", "info"], capture_output=True, timeout=20, check=False)
    return found.returncode == 0


class ContainerServer(Server):
    """A server in a container; its port on the host stays the same over restarts."""

    def __init__(self, image: str, inner_port: int, *, options: Sequence[str] = (), arguments: Sequence[str] = ()):
        self.port = free_port()
        self._image = image
        self._publish = f"127.0.0.1:{self.port}:{inner_port}"
        self._options = options
        self._arguments = arguments
        self._container: str | None = None

    def start(self) -> None:
        """Create the container the first time, start the same one again later."""
        if self._container is None:
            command = ["docker", "run", "-d", "-p", self._publish, *self._options, self._image, *self._arguments]
            self._container = _run(command, seconds=600).strip()
        else:
            _run(["docker", "start", self._container])
        wait_until(self.answers, self._image)

    @abstractmethod
    def answers(self) -> bool:
        """Whether the server inside takes requests."""

    def run_inside(self, *command: str) -> str:
        """Run a command in the container."""
        if self._container is None:
            raise ServerMissing(f"{self._image} was never started")
        return _run(["docker", "exec", self._container, *command])

    def stop(self) -> None:
        """`docker stop`."""
        if self._container:
            _run(["docker", "stop", self._container])

    def kill(self) -> None:
        """`docker kill`."""
        if self._container:
            subprocess.run(["docker", "kill", self._container], capture_output=True, timeout=60, check=False)

    def end(self) -> None:
        """Away with the container and its data."""
        if self._container:
            subprocess.run(["docker", "rm", "-fv", self._container], capture_output=True, timeout=60, check=False)
            self._container = None


def _run(command: Sequence[str], *, seconds: float = 120) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed: {done.stderr.strip()}")
    return done.stdout
