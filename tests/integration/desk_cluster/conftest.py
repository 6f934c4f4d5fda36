"""A company in a process of its own with a token, behind an API server; commands as processes with a kubeconfig."""

import base64
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from tests.cluster.processes.certificates import Authority, Identity, api_server
from tests.integration.desk_cluster.api_server import COMPANIES, Cluster, Manifest, served

TOKEN = "the-gateways-own-token"
ALICE = Identity("alice", "/O=people/CN=alice")
READY = {
    "type": "Ready", "status": "True", "reason": "AllReady", "message": "gateway and workers are ready",
    "observedGeneration": 1, "lastTransitionTime": "2026-01-02T03:04:05Z",
}  # fmt: skip


def company_there(name: str = "acme", namespace: str = "default", **spec: object) -> Manifest:
    """A company as the API server shows it."""
    return {
        "apiVersion": "aicompany.io/v1alpha1",
        "kind": "AICompany",
        "metadata": {"name": name, "namespace": namespace, "uid": f"uid-{namespace}-{name}", "generation": 1},
        "spec": dict(spec),
        "status": {
            "observedGeneration": 1,
            "conditions": [dict(READY)],
            "groups": [
                {"name": "gateway", "role": "gateway", "desired": 1, "ready": 1},
                {"name": "pm", "role": "pm", "desired": 1, "ready": 1, "queued": 0},
                {
                    "name": "task.generalist", "role": "task", "agent": "generalist", "desired": 2, "ready": 0,
                    "queued": 7,
                    "lastDecision": {"at": "2026-01-02T03:04:05Z", "what": "1 -> 2", "why": "7 messages wait"},
                },
            ],
            "workers": "2/4", "queued": "7", "track": "stable", "image": "aicompany:1.2.3",
        },
    }  # fmt: skip


def service_of(name: str = "acme", namespace: str = "default") -> Manifest:
    """Its gateway's Service."""
    labels = {"aicompany.io/company": name, "aicompany.io/role": "gateway"}
    return {
        "metadata": {"name": f"{name}-gateway", "namespace": namespace, "labels": labels},
        "spec": {"ports": [{"name": "http", "port": 8700}]},
    }


def secret(name: str, namespace: str = "default", **values: str) -> Manifest:
    """A Secret."""
    data = {key: base64.b64encode(value.encode()).decode() for key, value in values.items()}
    return {"metadata": {"name": name, "namespace": namespace}, "data": data}


def pod(name: str, role: str, agent: str | None = None) -> Manifest:
    """A pod of acme."""
    labels = {"aicompany.io/company": "acme", "aicompany.io/role": role}
    labels |= {"aicompany.io/agent": agent} if agent else {}
    return {"metadata": {"name": name, "namespace": "default", "labels": labels}}


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The cluster's authority, the API server's certificate and a user's."""
    authority = Authority(tmp_path_factory.mktemp("pki"))
    authority.found()
    authority.sign(api_server())
    authority.sign(ALICE)
    return authority


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a company that asks for its token."""
    home = tmp_path_factory.mktemp("pod")
    file = home / "company.yaml"
    file.write_text(
        "apiVersion: aicompany.io/v1alpha1\nkind: AICompany\nmetadata: {name: acme}\n"
        "spec: {gateway: {port: 0}, model: {provider: offline}}\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "aicompany_desk.cli.main", "up", str(file)],
        env={**clean_environment(home), "AICOMPANY_TOKEN": TOKEN}, cwd=home, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    try:
        said = process.stdout.readline()
        assert "is up at" in said
        yield next(word for word in said.split() if word.startswith("http://")).rstrip(".,;")
    finally:
        process.terminate()
        process.communicate(timeout=30)


@pytest.fixture
def cluster(gateway: str) -> Cluster:
    """With the company `acme` in the namespace `default`."""
    there = Cluster(backends={"default/acme-gateway": gateway})
    there.add(COMPANIES, company_there())
    there.add("services", service_of())
    there.add("secrets", secret("acme-credentials", token=TOKEN))
    return there


@pytest.fixture
def api(cluster: Cluster, pki: Authority) -> Iterator[str]:
    """The API server's address."""
    with served(cluster, pki.place) as url:
        yield url


def clean_environment(home: Path) -> dict[str, str]:
    """What a fresh user's commands find around them."""
    theirs = ("ANTHROPIC", "AICOMPANY", "XDG", "KUBE")
    return {**{k: v for k, v in os.environ.items() if not k.startswith(theirs)}, "HOME": str(home)}


@dataclass(frozen=True)
class User:
    """Somebody with a kubeconfig and no company of their own."""

    home: Path
    kubeconfig: Path

    def words(self, program: str, *words: object) -> list[str]:
        """A command as the system wants it."""
        module = {"aicompany": "aicompany_desk.cli.main", "kubectl": "aicompany_desk.kubectl.main"}[program]
        return [sys.executable, "-c", f"from {module} import main; main()", *map(str, words)]

    @property
    def environment(self) -> dict[str, str]:
        """With the kubeconfig in it."""
        return {**clean_environment(self.home), "KUBECONFIG": str(self.kubeconfig)}

    def run(self, program: str, *words: object, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a command; whatever happens, nobody sees a trace."""
        done = subprocess.run(
            self.words(program, *words), env={**self.environment, **more}, cwd=self.home, timeout=60, check=False,
            capture_output=True, text=True, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert "Traceback" not in done.stdout + done.stderr
        assert "a bug in the program" not in done.stderr
        return done

    def aicompany(self, *words: object, **more: str) -> subprocess.CompletedProcess[str]:
        """`aicompany …`."""
        return self.run("aicompany", *words, **more)

    def kubectl(self, *words: object, **more: str) -> subprocess.CompletedProcess[str]:
        """`kubectl aicompany …`."""
        return self.run("kubectl", *words, **more)


@pytest.fixture
def alice(pki: Authority, api: str, tmp_path: Path) -> User:
    """Logs in with a client certificate."""
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(pki.kubeconfig(ALICE, server=api, context="here"))
    return User(tmp_path, kubeconfig)


@pytest.fixture
def with_user(alice: User) -> Callable[[dict[str, object]], User]:
    """Somebody who logs in as this section of a kubeconfig says."""

    def made(section: dict[str, object]) -> User:
        config = yaml.safe_load(alice.kubeconfig.read_text())
        config["users"][0]["user"] = section
        alice.kubeconfig.write_text(yaml.safe_dump(config))
        return alice

    return made
