"""A real PostgreSQL."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

import psycopg
from tests.servers.server import (
    ContainerServer,
    ProcessServer,
    Server,
    ServerMissing,
    docker_works,
    free_port,
    wait_until,
)

_DEBIAN = Path("/usr/lib/postgresql")
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "100",
    "shared_buffers": "64MB",
    "unix_socket_directories": "",
}


def postgres_server(directory: Path) -> Server:
    """One that was not started yet. Raises `ServerMissing`."""
    if docker_works():
        return PostgresContainer()
    return PostgresProcess(directory)


def _accepts(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


class PostgresProcess(ProcessServer):
    """From Debian's package; as user postgres when this is root, since it refuses to run as root."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        versions = sorted(_DEBIAN.glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
        found = versions[-1] if versions else shutil.which("postgres")
        if not found:
            raise ServerMissing("PostgreSQL is not here; install it with: apt-get install postgresql")
        self._bin = Path(found).parent
        self._user = "postgres" if os.geteuid() == 0 else None
        self._data = directory / "data"
        self.port = free_port()
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Make the cluster the first time."""
        if not self._data.exists():
            if self._user:
                # The directory is below one that only root may enter.
                for path in (self.directory, *self.directory.parents):
                    if path.stat().st_uid == os.geteuid() and path != Path("/") and not path.stat().st_mode & 0o001:
                        path.chmod(path.stat().st_mode | 0o011)
                shutil.chown(self.directory, self._user)
            command = [
                str(self._bin / "initdb"),
                "-D",
                str(self._data),
                "-U",
                "postgres",
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--no-sync",
            ]
            subprocess.run(command, check=True, capture_output=True, cwd=self.directory, user=self._user, timeout=120)
        settings = [part for name, value in _SETTINGS.items() for part in ("-c", f"{name}={value}")]
        command = [str(self._bin / "postgres"), "-D", str(self._data), "-p", str(self.port), *settings]
        self._spawn(command, {}, user=self._user)
        wait_until(lambda: _accepts(self.url), "PostgreSQL", log=self.log)

    def stop(self) -> None:
        """Fast shutdown: connections are cut, what was committed is kept."""
        self._end(signal.SIGINT)


class PostgresContainer(ContainerServer):
    """In a container."""

    def __init__(self) -> None:
        super().__init__("postgres:17", 5432, options=["-e", "POSTGRES_HOST_AUTH_METHOD=trust"])
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def answers(self) -> bool:
        """Whether it accepts connections."""
        return _accepts(self.url)
