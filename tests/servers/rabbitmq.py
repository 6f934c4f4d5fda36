"""A real RabbitMQ."""

import os
import signal
import socket
import subprocess
from abc import abstractmethod
from pathlib import Path
from urllib.parse import urlsplit

from tests.servers.server import (
    ContainerServer,
    ProcessServer,
    Server,
    ServerMissing,
    can_connect,
    docker_works,
    free_port,
    wait_until,
)

_PROGRAMS = Path("/usr/lib/rabbitmq/bin")
_ADVANCED = "[{rabbit, [{loopback_users, []}]}]."


class RabbitServer(Server):
    """A RabbitMQ with its command line, and where asked for with its management API and its metrics."""

    management_url = ""
    """The management API, with an administrator's login."""
    metrics_url = ""
    """What Prometheus reads."""

    def _plugins_answer(self) -> bool:
        ports = [urlsplit(url).port for url in (self.management_url, self.metrics_url) if url]
        return all(can_connect(port) for port in ports if port)

    @abstractmethod
    def control(self, *arguments: str) -> str:
        """`rabbitmqctl` with these arguments; what it prints."""

    def add_vhost(self, name: str) -> str:
        """Make a vhost of its own for a test; its address."""
        self.control("add_vhost", name)
        self.control("set_permissions", "-p", name, "guest", ".*", ".*", ".*")
        return f"{self.url.rsplit('/', 1)[0]}/{name}"

    def delete_vhost(self, name: str) -> None:
        """Away with the vhost and all it holds."""
        self.control("delete_vhost", name)


def rabbitmq_server(directory: Path, *, plugins: bool = False) -> RabbitServer:
    """One that was not started yet, with management and metrics when `plugins`. Raises `ServerMissing`."""
    if docker_works():
        return RabbitContainer(plugins=plugins)
    return RabbitProcess(directory, plugins=plugins)


def _accepts(port: int) -> bool:
    """Whether the server answers the protocol's greeting with `connection.start`."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as probe:
            probe.sendall(b"AMQP\x00\x00\x09\x01")
            return probe.recv(1) == b"\x01"
    except OSError:
        return False


class RabbitProcess(ProcessServer, RabbitServer):
    """From Debian's package, as a node of its own with an own epmd, cookie and database."""

    def __init__(self, directory: Path, *, plugins: bool = False) -> None:
        super().__init__(directory)
        self._epmd: subprocess.Popen[bytes] | None = None
        if not (_PROGRAMS / "rabbitmq-server").exists():
            raise ServerMissing("RabbitMQ is not here; install it with: apt-get install rabbitmq-server")
        self.port, distribution, epmd = free_port(), free_port(), free_port()
        self.url = f"amqp://guest:guest@127.0.0.1:{self.port}/%2F"
        (directory / "advanced.config").write_text(_ADVANCED)
        (directory / "rabbitmq.conf").write_text(
            f"listeners.tcp.default = 127.0.0.1:{self.port}\nloopback_users = none\n"
            "log.file.level = warning\nvm_memory_high_watermark.absolute = 2GB\ndisk_free_limit.absolute = 50MB\n"
        )
        (directory / "enabled_plugins").write_text("[].")
        if plugins:
            self._add_plugins()
        self._environment = {
            "HOME": str(directory),
            "RABBITMQ_NODENAME": f"aicompany{self.port}@localhost",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(distribution),
            "ERL_EPMD_PORT": str(epmd),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_MNESIA_BASE": str(directory / "mnesia"),
            "RABBITMQ_LOG_BASE": str(directory / "log"),
            "RABBITMQ_PID_FILE": str(directory / "pid"),
            "RABBITMQ_CONF_ENV_FILE": str(directory / "none"),
            "RABBITMQ_CONFIG_FILE": str(directory / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(directory / "advanced.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(directory / "enabled_plugins"),
            # Erlang would otherwise spin a while for work on both cores.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+sbwt none +sbwtdcpu none +sbwtdio none",
        }

    def _add_plugins(self) -> None:
        management, metrics = free_port(), free_port()
        with (self.directory / "rabbitmq.conf").open("a") as configuration:
            configuration.write(f"management.tcp.port = {management}\nmanagement.tcp.ip = 127.0.0.1\n")
            configuration.write(f"prometheus.tcp.port = {metrics}\nprometheus.tcp.ip = 127.0.0.1\n")
        (self.directory / "enabled_plugins").write_text("[rabbitmq_management,rabbitmq_prometheus].")
        self.management_url = f"http://guest:guest@127.0.0.1:{management}"
        self.metrics_url = f"http://127.0.0.1:{metrics}"

    def start(self) -> None:
        """Start the node, and its epmd first: one that the node starts would outlive it."""
        if self._epmd is None:
            port = self._environment["ERL_EPMD_PORT"]
            self._epmd = subprocess.Popen(["epmd", "-port", port, "-address", "127.0.0.1"], cwd=self.directory)
            wait_until(lambda: can_connect(int(port)), "epmd")
        self._spawn([str(_PROGRAMS / "rabbitmq-server")], self._environment)
        wait_until(lambda: _accepts(self.port) and self._plugins_answer(), "RabbitMQ", log=self.log)

    def stop(self) -> None:
        """Orderly."""
        self._end(signal.SIGTERM)

    def end(self) -> None:
        """For good, epmd too."""
        self.kill()
        if self._epmd is not None:
            self._epmd.kill()
            self._epmd.wait()
            self._epmd = None

    def control(self, *arguments: str) -> str:
        """`rabbitmqctl`."""
        command = [str(_PROGRAMS / "rabbitmqctl"), "--quiet", *arguments]
        environment = {**os.environ, **self._environment}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"rabbitmqctl {' '.join(arguments)}: {done.stdout.strip()} {done.stderr.strip()}")
        return done.stdout


class RabbitContainer(ContainerServer, RabbitServer):
    """In a container; `AICOMPANY_TEST_RABBITMQ` names another image."""

    def __init__(self, *, plugins: bool = False) -> None:
        image = os.environ.get("AICOMPANY_TEST_RABBITMQ", "rabbitmq:4.1")
        management, metrics = free_port(), free_port()
        ports = ["-p", f"127.0.0.1:{management}:15672", "-p", f"127.0.0.1:{metrics}:15692"]
        # The metrics are on in the image, the management API only in the one that is named for it.
        super().__init__(f"{image}-management" if plugins else image, 5672, options=ports if plugins else ())
        if plugins:
            self.management_url = f"http://guest:guest@127.0.0.1:{management}"
            self.metrics_url = f"http://127.0.0.1:{metrics}"
        self.url = f"amqp://guest:guest@127.0.0.1:{self.port}/%2F"

    def answers(self) -> bool:
        """Whether it accepts connections."""
        return _accepts(self.port) and self._plugins_answer()

    def control(self, *arguments: str) -> str:
        """`rabbitmqctl` inside."""
        return self.run_inside("rabbitmqctl", "--quiet", *arguments)
