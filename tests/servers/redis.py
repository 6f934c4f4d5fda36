"""A real Redis, or Valkey."""

import shutil
import signal
from pathlib import Path

import redis
from tests.servers.server import (
    ContainerServer,
    ProcessServer,
    Server,
    ServerMissing,
    docker_works,
    free_port,
    wait_until,
)


def redis_server(directory: Path) -> Server:
    """One that was not started yet. Raises `ServerMissing`."""
    if docker_works():
        return RedisContainer()
    return RedisProcess(directory)


def _answers(url: str) -> bool:
    try:
        with redis.Redis.from_url(url, socket_timeout=2) as client:
            client.ping()
    except redis.RedisError:
        return False
    return True


class RedisProcess(ProcessServer):
    """From Debian's package."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        found = shutil.which("valkey-server") or shutil.which("redis-server")
        if not found:
            raise ServerMissing("Redis is not here; install it with: apt-get install redis-server")
        self._program = found
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Nothing is kept on disk."""
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        self._spawn([self._program, *options, "--dir", str(self.directory)], {})
        wait_until(lambda: _answers(self.url), "Redis", log=self.log)

    def stop(self) -> None:
        """SIGTERM."""
        self._end(signal.SIGTERM)


class RedisContainer(ContainerServer):
    """In a container."""

    def __init__(self) -> None:
        super().__init__("valkey/valkey:8", 6379)
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def answers(self) -> bool:
        """Whether it answers a ping."""
        return _answers(self.url)
