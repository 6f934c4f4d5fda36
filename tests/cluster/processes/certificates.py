"""The cluster's own authority, what it signs, and the kubeconfigs made of it. By openssl, valid for 30 days."""

import base64
from dataclasses import dataclass
from pathlib import Path

import yaml
from tests.cluster.commands import run

_DAYS = 30
_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a certificate is for. Kubernetes reads the user's name out of CN and the groups out of O."""

    name: str
    subject: str
    alternative_names: str = ""


ADMIN = Identity("admin", "/O=system:masters/CN=admin")
CONTROLLER_MANAGER = Identity("controller-manager", "/CN=system:kube-controller-manager")
SCHEDULER = Identity("scheduler", "/CN=system:kube-scheduler")
PROXY = Identity("proxy", "/CN=system:kube-proxy")


def api_server(*addresses: str) -> Identity:
    """The API server, by the names that pods use and by these IP addresses."""
    names = ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc",
             "kubernetes.default.svc.cluster.local"]  # fmt: skip
    alternatives = [*(f"DNS:{name}" for name in names), *(f"IP:{address}" for address in ("127.0.0.1", *addresses))]
    return Identity("apiserver", "/CN=kube-apiserver", ",".join(alternatives))


def kubelet(node: str, address: str) -> Identity:
    """The kubelet of a node."""
    return Identity("kubelet", f"/O=system:nodes/CN=system:node:{node}", f"IP:{address},DNS:{node}")


class Authority:
    """Signs, into one folder."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def found(self) -> None:
        """Make the authority, and the key that service accounts' tokens are signed with. Raises `CommandFailed`."""
        self.place.mkdir(parents=True, exist_ok=True)
        self.place.chmod(0o700)
        run("openssl", "req", "-x509", *_NEW_KEY, "-keyout", "ca.key", "-out", "ca.crt", "-days", str(_DAYS), "-subj",
            "/CN=cluster-ca", seconds=_SECONDS, cwd=self.place)  # fmt: skip
        run("openssl", "genrsa", "-out", "sa.key", "2048", seconds=_SECONDS, cwd=self.place)
        run("openssl", "rsa", "-in", "sa.key", "-pubout", "-out", "sa.pub", seconds=_SECONDS, cwd=self.place)

    def sign(self, who: Identity) -> None:
        """`<name>.crt` and `<name>.key`. Raises `CommandFailed`."""
        run("openssl", "req", *_NEW_KEY, "-keyout", f"{who.name}.key", "-out", f"{who.name}.csr", "-subj", who.subject,
            seconds=_SECONDS, cwd=self.place)  # fmt: skip
        (self.place / f"{who.name}.ext").write_text(extensions(who), encoding="utf-8")
        run("openssl", "x509", "-req", "-in", f"{who.name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial",
            "-out", f"{who.name}.crt", "-days", str(_DAYS), "-extfile", f"{who.name}.ext",
            seconds=_SECONDS, cwd=self.place)  # fmt: skip

    def kubeconfig(self, who: Identity, *, server: str, context: str) -> str:
        """A kubeconfig that needs no other file, as YAML."""
        cluster = {"server": server, "certificate-authority-data": self._encoded("ca.crt")}
        user = {
            "client-certificate-data": self._encoded(f"{who.name}.crt"),
            "client-key-data": self._encoded(f"{who.name}.key"),
        }
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": context, "cluster": cluster}],
            "users": [{"name": who.name, "user": user}],
            "contexts": [{"name": context, "context": {"cluster": context, "user": who.name}}],
            "current-context": context,
        }
        return yaml.safe_dump(document, sort_keys=False)

    def _encoded(self, name: str) -> str:
        return base64.b64encode((self.place / name).read_bytes()).decode()


# Keys on a curve are made in no time, where RSA's take a while each.
_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def extensions(who: Identity) -> str:
    """The certificate's extensions, as openssl reads them."""
    lines = ["extendedKeyUsage=serverAuth,clientAuth"]
    if who.alternative_names:
        lines.append(f"subjectAltName={who.alternative_names}")
    return "\n".join(lines) + "\n"
