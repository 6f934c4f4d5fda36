"""The API server, with what the kubeconfig allows. The Kubernetes client is loaded only to read the kubeconfig."""

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
import yaml

from aicompany.errors import NotFound, NotPossible
from aicompany_desk.cluster.place import ClusterForbidden, ClusterPlace, ClusterUnusable

_TIMEOUT = httpx2.Timeout(30.0, connect=5.0)
_LOGIN_SECONDS = 60.0
"""An exec plug-in may ask a person something."""
_COMPANIES = "apis/aicompany.io/v1alpha1"
_OWN_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_MERGE = "application/merge-patch+json"
_MISSHAPEN = (LookupError, TypeError, AttributeError)
"""What the client's loader raises for YAML that is something else."""

Json = dict[str, Any]
OnStatus = Callable[[httpx2.Response], Exception]


def has_kubeconfig(place: ClusterPlace) -> bool:
    """Whether there is anything to read."""
    if place.kubeconfig or "KUBERNETES_SERVICE_HOST" in os.environ:
        return True
    files = os.environ.get("KUBECONFIG", "").split(os.pathsep) if os.environ.get("KUBECONFIG") else []
    return any(Path(file).is_file() for file in files or [str(Path.home() / ".kube" / "config")])


@dataclass(frozen=True, slots=True)
class Login:
    """What a request to the API server needs. Shows no secret."""

    host: str
    namespace: str
    is_namespace_named: bool
    """Whether it was asked for; else it is only where to look first."""
    trust: ssl.SSLContext
    server_name: str | None
    """Whose certificate is expected, when it is not the host's."""
    proxy: str | None
    headers: dict[str, str]

    def __repr__(self) -> str:
        return f"<Login at {self.host}, namespace {self.namespace}>"


async def log_in(place: ClusterPlace) -> Login:
    """Read the kubeconfig. Raises `ClusterUnusable` with the way out."""
    try:
        from kubernetes.aio import config  # noqa: PLC0415 - takes a second, and may not be installed
        from kubernetes.aio.client import ApiClient, Configuration  # noqa: PLC0415
    except ImportError as error:
        raise ClusterUnusable(
            "reaching a cluster needs the Kubernetes client; install it with: pip install '.[kubernetes]' "
            "(in a clone of the project)"
        ) from error
    configuration = Configuration()
    try:
        async with asyncio.timeout(_LOGIN_SECONDS):
            if not has_kubeconfig(place):
                raise ClusterUnusable("there is no kubeconfig; name one with --kubeconfig or KUBECONFIG")
            if "KUBERNETES_SERVICE_HOST" in os.environ and not place.kubeconfig and "KUBECONFIG" not in os.environ:
                config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
                namespace = await asyncio.to_thread(_OWN_NAMESPACE.read_text, encoding="utf-8")
            else:
                loader = await config.load_kube_config(  # type: ignore[no-untyped-call]
                    config_file=place.kubeconfig, context=place.context, client_configuration=configuration
                )
                namespace = str(loader.current_context["context"].get("namespace") or "default")
        # Authorities of clusters often lack what Python from 3.13 on asks of them; kubectl takes them, too.
        configuration.disable_strict_ssl_verification = True
        client = ApiClient(configuration)
        headers: dict[str, str] = {}
        await client.update_params_for_auth(headers, [], ["BearerToken"], "/", "GET", None)
        await client.close()  # type: ignore[no-untyped-call]
    except (config.ConfigException, yaml.YAMLError, OSError, ValueError, *_MISSHAPEN) as error:
        raise ClusterUnusable(
            f"the kubeconfig cannot be used ({_line_of(error)}); check it with: kubectl cluster-info"
        ) from error
    return Login(
        host=configuration.host,
        namespace=place.namespace or namespace.strip(),
        is_namespace_named=place.namespace is not None,
        trust=client.rest_client.ssl_context,
        server_name=configuration.tls_server_name,
        proxy=configuration.proxy,
        headers=headers,
    )


def _line_of(error: Exception) -> str:
    if isinstance(error, _MISSHAPEN):
        return "it has not the shape of one"
    return " ".join(str(error).split()) or type(error).__name__


class ClusterApi:
    """The few calls that commands need. Raises `ClusterUnusable`, `ClusterForbidden`, `NotFound`, `NotPossible`."""

    def __init__(self, login: Login, http: httpx2.AsyncClient) -> None:
        self.login = login
        self._http = http

    async def company(self, namespace: str, name: str) -> Json:
        """The resource."""
        return await self._call("GET", f"/{_COMPANIES}/namespaces/{_q(namespace)}/aicompanies/{_q(name)}")

    async def companies(self, namespace: str | None = None) -> list[Json]:
        """All of a namespace, or of the cluster."""
        scope = f"namespaces/{_q(namespace)}/" if namespace else ""
        return list((await self._call("GET", f"/{_COMPANIES}/{scope}aicompanies")).get("items", ()))

    async def patch_company(self, namespace: str, name: str, change: Json) -> Json:
        """Merge the change into the resource."""
        path = f"/{_COMPANIES}/namespaces/{_q(namespace)}/aicompanies/{_q(name)}"
        return await self._call("PATCH", path, json=change, headers={"Content-Type": _MERGE})

    async def core(self, namespace: str, kind: str, name: str | None = None, **query: str) -> Json:
        """An object of the core group, or the list of a kind (`secrets`, `pods`, `events`)."""
        path = f"/api/v1/namespaces/{_q(namespace)}/{kind}" + (f"/{_q(name)}" if name else "")
        return await self._call("GET", path, params=query)

    @asynccontextmanager
    async def log_of(self, namespace: str, pod: str, *, follow: bool, tail: int) -> AsyncIterator[AsyncIterator[str]]:
        """The lines of a pod's log."""
        path = f"/api/v1/namespaces/{_q(namespace)}/pods/{_q(pod)}/log"
        query = {"tailLines": str(tail)} | ({"follow": "true"} if follow else {})
        timeout = httpx2.Timeout(30.0, connect=5.0, read=None if follow else 30.0)
        try:
            async with self._http.stream("GET", path, params=query, timeout=timeout) as response:
                if response.status_code >= 400:
                    await response.aread()
                    raise refusal(response)
                yield response.aiter_lines()
        except httpx2.TransportError as error:
            raise self._silence() from error

    def proxy(
        self, namespace: str, service: str, port: int, token: str | None, on_status: OnStatus
    ) -> "httpx2.AsyncClient":
        """A client whose requests go through the API server to a Service. It consumes `Authorization` itself.

        `on_status` makes an error of what the API server says instead of the Service.
        """
        shown = {"X-AICompany-Token": token} if token else {}
        base = f"{self.login.host}/api/v1/namespaces/{_q(namespace)}/services/http:{_q(service)}:{port}/proxy"

        async def look(response: httpx2.Response) -> None:
            if response.status_code >= 400 and await _is_status(response):
                raise on_status(response)

        return _client(self.login, base, shown, on_response=look)

    async def _call(self, method: str, path: str, **arguments: Any) -> Json:  # noqa: ANN401 - httpx's
        try:
            response = await self._http.request(method, path, **arguments)
        except httpx2.TransportError as error:
            raise self._silence() from error
        if response.status_code >= 400:
            raise refusal(response)
        try:
            answer = response.json()
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise ClusterUnusable(f"what answers at {self.login.host} is no API server; look into the kubeconfig")
        return answer

    def _silence(self) -> ClusterUnusable:
        return ClusterUnusable(
            f"the API server at {self.login.host} does not answer; check it with: kubectl cluster-info"
        )


async def _is_status(response: httpx2.Response) -> bool:
    """Whether the API server speaks, not who is behind it."""
    await response.aread()
    try:
        return bool(response.json()["kind"] == "Status")
    except (ValueError, LookupError, TypeError):
        return False


def refusal(response: httpx2.Response) -> ClusterUnusable | NotPossible | NotFound:
    """The API server's no, as one of our errors."""
    try:
        message = str(response.json()["message"])
    except (ValueError, KeyError, TypeError):
        message = f"the API server answered {response.status_code}"
    match response.status_code:
        case 400:
            return NotPossible(message)
        case 401:
            return ClusterUnusable(f"the API server does not know this user ({message}); log in again")
        case 403:
            return ClusterForbidden(f"the cluster does not allow it: {message}")
        case 404:
            return NotFound(message)
        case _:
            return ClusterUnusable(message)


def _client(
    login: Login,
    base: str,
    headers: dict[str, str],
    on_response: Callable[[httpx2.Response], Awaitable[None]] | None = None,
) -> httpx2.AsyncClient:
    async def name_server(request: httpx2.Request) -> None:
        if login.server_name:
            request.extensions = {**request.extensions, "sni_hostname": login.server_name}

    return httpx2.AsyncClient(
        base_url=base,
        verify=login.trust,
        headers={**login.headers, **headers},
        timeout=_TIMEOUT,
        trust_env=False,
        proxy=login.proxy,
        event_hooks={"request": [name_server], "response": [on_response] if on_response else []},
    )


@asynccontextmanager
async def cluster_api(place: ClusterPlace) -> AsyncIterator[ClusterApi]:
    """The API server that the kubeconfig names. Raises `ClusterUnusable`."""
    login = await log_in(place)
    async with _client(login, login.host, {}) as http:
        yield ClusterApi(login, http)


def _q(part: str) -> str:
    return quote(part, safe="")
