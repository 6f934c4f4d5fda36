"""kubectl against the light cluster, and companies and Secrets to give it."""

import base64
import itertools
import json
import os
import subprocess

_numbers = itertools.count(1)

AGENTS = (
    {"name": "writer", "specialities": ["writing"], "instructions": "Write."},
    {"name": "generalist", "fallback": True, "instructions": "Do the rest."},
)
GROUPS = ("pm", "result", "dialog", "task-writer", "task-generalist", "gateway")


class Kubectl:
    """kubectl as an administrator."""

    def __init__(self, cluster):
        self.kubeconfig = cluster.kubeconfig
        self._program = cluster.kubectl

    def __call__(self, *words, given=None):
        done = self.tried(*words, given=given)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def tried(self, *words, given=None):
        """The finished process, whatever came of it."""
        return subprocess.run(
            [self._program, f"--kubeconfig={self.kubeconfig}", *words],
            input=None if given is None else json.dumps(given), capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip


class Namespace:
    """One of its own for each test."""

    def __init__(self, kubectl):
        self.kubectl = kubectl
        self.name = f"trial-{os.getpid()}-{next(_numbers)}"
        kubectl("create", "namespace", self.name)

    def __call__(self, *words, given=None):
        return self.kubectl("-n", self.name, *words, given=given)

    def apply(self, manifest):
        """Make it, or make it so."""
        self("apply", "--server-side", "--force-conflicts", "-f", "-", given=manifest)

    def get(self, kind, name):
        """The object, `None` when there is none."""
        shown = self("get", kind, name, "--ignore-not-found", "-o", "json")
        return json.loads(shown) if shown else None

    def all(self, *kinds, selector="aicompany.io/company"):
        """Every object of these kinds that bears the label."""
        return json.loads(self("get", ",".join(kinds), "-l", selector, "-o", "json"))["items"]

    def patch(self, kind, name, patch, *, kind_of_patch="merge"):
        """Change it by hand."""
        self("patch", kind, name, f"--type={kind_of_patch}", "-p", json.dumps(patch))

    def events(self, company):
        """Reasons of the company's Events, each as often as it was told."""
        listed = json.loads(self("get", "events", "-o", "json"))["items"]
        return sorted(event["reason"] for event in listed if event["involvedObject"]["name"] == company)

    def conditions(self, company):
        """Type → the whole condition."""
        body = self.get("aico", company)
        return {told["type"]: told for told in (body or {}).get("status", {}).get("conditions", ())}

    def holds(self, company, kind, status, reason=None):
        """The condition when it stands so, for the newest specification; else nothing."""
        body = self.get("aico", company)
        told = {told["type"]: told for told in (body or {}).get("status", {}).get("conditions", ())}.get(kind)
        if told is None or told["status"] != status or reason not in {None, told["reason"]}:
            return None
        return told if told["observedGeneration"] == body["metadata"]["generation"] else None


def secret(name, **values):
    """A Secret with these values."""
    data = {key.replace("_", "-"): base64.b64encode(value.encode()).decode() for key, value in values.items()}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": data}


def servers(port):
    """The Secret of a company whose broker and store are at this port of the loopback."""
    return secret(
        "servers", broker_url=f"amqp://u:p@127.0.0.1:{port}/v", store_url=f"postgres://u:p@127.0.0.1:{port}/d"
    )


def company(name="acme", *, agents=AGENTS, **sections):
    """A company with servers of its own and the offline model."""
    return {
        "apiVersion": "aicompany.io/v1alpha1",
        "kind": "AICompany",
        "metadata": {"name": name},
        "spec": {
            "agents": list(agents),
            "broker": {"urlSecret": {"name": "servers", "key": "broker-url"}},
            "store": {"urlSecret": {"name": "servers", "key": "store-url"}},
            "model": {"provider": "offline"},
            **sections,
        },
    }
