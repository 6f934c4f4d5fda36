"""The few routes of an API server that commands use, over TLS, with users, rights and the proxy to a real gateway.

It refuses in the words of Kubernetes (https://kubernetes.io/docs/reference/using-api/api-concepts/). As there,
`Authorization` is for the API server and goes no further.
"""

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

Manifest = dict[str, Any]
COMPANIES = "aicompanies"
_GROUPS = {COMPANIES: "aicompany.io"}
_USER = web.RequestKey("user", str)
_PRIVATE = {"authorization", "host", "content-length", "transfer-encoding"}


@dataclass
class Cluster:
    """What is in it, and who may do what. Tests change it while the server runs."""

    objects: dict[tuple[str, str, str], Manifest] = field(default_factory=dict)
    """By plural, namespace and name."""
    backends: dict[str, str] = field(default_factory=dict)
    """Address behind each Service, by `namespace/name`; one that is missing has no ready pod."""
    logs: dict[str, tuple[str, ...] | None] = field(default_factory=dict)
    """Lines of each pod; `None`: its container has not started."""
    tokens: dict[str, str] = field(default_factory=dict)
    """The user of each bearer token."""
    forbidden: set[tuple[str, str, str]] = field(default_factory=set)
    """User, verb and resource."""
    knows_companies: bool = True
    """Whether the CRD is installed."""
    seen: list[tuple[str, str, str]] = field(default_factory=list)
    """User, method and path of every request."""

    def add(self, plural: str, manifest: Manifest) -> None:
        """Put an object in."""
        metadata = manifest["metadata"]
        self.objects[plural, metadata["namespace"], metadata["name"]] = manifest

    def all_of(self, plural: str, namespace: str | None) -> list[Manifest]:
        """In the order of the names."""
        return [
            found
            for (kind, where, _), found in sorted(self.objects.items(), key=lambda item: item[0])
            if kind == plural and namespace in {None, where}
        ]


@contextmanager
def served(cluster: Cluster, pki: Path) -> Iterator[str]:
    """The API server in a thread of its own; gives its address."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        runner, port = asyncio.run_coroutine_threadsafe(_start(cluster, pki), loop).result(30)
        yield f"https://127.0.0.1:{port}"
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(30)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        loop.close()


async def _start(cluster: Cluster, pki: Path) -> tuple[web.AppRunner, int]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(pki / "ca.crt"))
    context.load_cert_chain(pki / "apiserver.crt", pki / "apiserver.key")
    context.verify_mode = ssl.CERT_OPTIONAL
    runner = web.AppRunner(_app(_Routes(cluster)), handler_cancellation=True, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    assert site._server is not None
    return runner, site._server.sockets[0].getsockname()[1]


def _app(routes: "_Routes") -> web.Application:
    app = web.Application(middlewares=[routes.authenticate])
    companies, core = "/apis/aicompany.io/v1alpha1", "/api/v1/namespaces/{namespace}"
    app.router.add_get(f"{companies}/{COMPANIES}", routes.companies)
    app.router.add_get(f"{companies}/namespaces/{{namespace}}/{COMPANIES}", routes.companies)
    app.router.add_get(f"{companies}/namespaces/{{namespace}}/{COMPANIES}/{{name}}", routes.company)
    app.router.add_patch(f"{companies}/namespaces/{{namespace}}/{COMPANIES}/{{name}}", routes.patch)
    app.router.add_route("*", core + "/services/http:{name}:{port}/proxy/{path:.*}", routes.proxy)
    app.router.add_get(core + "/pods/{name}/log", routes.log)
    app.router.add_get(core + "/{plural}", routes.listed)
    app.router.add_get(core + "/{plural}/{name}", routes.one)
    return app


class _Refused(Exception):
    """A `Status` instead of an answer."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        self.answer = {
            "kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "reason": reason,
            "code": code,
        }  # fmt: skip
        self.code = code


class _Routes:
    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    @web.middleware
    async def authenticate(self, request: web.Request, handler: Any) -> web.StreamResponse:
        try:
            request[_USER] = self._user(request)
            self._cluster.seen.append((request[_USER], request.method, request.path))
            return await handler(request)
        except _Refused as refused:
            return web.json_response(refused.answer, status=refused.code)

    def _user(self, request: web.Request) -> str:
        certificate = request.get_extra_info("peercert")
        if certificate:
            subject = {name: value for ((name, value),) in certificate["subject"]}
            return subject["commonName"]
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if token not in self._cluster.tokens:
            raise _Refused(401, "Unauthorized", "Unauthorized")
        return self._cluster.tokens[token]

    def _may(self, request: web.Request, verb: str, resource: str) -> None:
        user = request[_USER]
        if (user, verb, resource) not in self._cluster.forbidden:
            return
        group, namespace, name = _GROUPS.get(resource, ""), *map(request.match_info.get, ("namespace", "name"))
        scope = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
        what = ".".join(filter(None, (resource, group))) + (f' "{name}"' if name else "")
        raise _Refused(
            403, "Forbidden",
            f'{what} is forbidden: User "{user}" cannot {verb} resource "{resource}" in API group "{group}" {scope}',
        )  # fmt: skip

    async def companies(self, request: web.Request) -> web.Response:
        if not self._cluster.knows_companies:
            raise web.HTTPNotFound(text="404 page not found")
        self._may(request, "list", COMPANIES)
        return web.json_response({"items": self._cluster.all_of(COMPANIES, request.match_info.get("namespace"))})

    async def company(self, request: web.Request) -> web.Response:
        if not self._cluster.knows_companies:
            raise web.HTTPNotFound(text="404 page not found")
        self._may(request, "get", COMPANIES)
        return web.json_response(self._found(request, COMPANIES))

    async def patch(self, request: web.Request) -> web.Response:
        self._may(request, "patch", COMPANIES)
        if request.content_type != "application/merge-patch+json":
            raise _Refused(415, "UnsupportedMediaType", f"the media type {request.content_type} is not supported")
        found = self._found(request, COMPANIES)
        found["spec"] = {**found["spec"], **(await request.json())["spec"]}
        return web.json_response(found)

    async def listed(self, request: web.Request) -> web.Response:
        plural = request.match_info["plural"]
        self._may(request, "list", plural)
        labels = _pairs(request.query.get("labelSelector", ""))
        uid = _pairs(request.query.get("fieldSelector", "")).get("involvedObject.uid")
        found = [
            each
            for each in self._cluster.all_of(plural, request.match_info["namespace"])
            if labels.items() <= each["metadata"].get("labels", {}).items()
            and uid in {None, each.get("involvedObject", {}).get("uid")}
        ]
        return web.json_response({"items": found})

    async def one(self, request: web.Request) -> web.Response:
        plural = request.match_info["plural"]
        self._may(request, "get", plural)
        return web.json_response(self._found(request, plural))

    def _found(self, request: web.Request, plural: str) -> Manifest:
        namespace, name = request.match_info["namespace"], request.match_info["name"]
        found = self._cluster.objects.get((plural, namespace, name))
        if found is None:
            what = ".".join(filter(None, (plural, _GROUPS.get(plural, ""))))
            raise _Refused(404, "NotFound", f'{what} "{name}" not found')
        return found

    async def log(self, request: web.Request) -> web.StreamResponse:
        self._may(request, "get", "pods/log")
        pod = request.match_info["name"]
        lines = self._cluster.logs.get(pod, ())
        if lines is None:
            said = f'container "aicompany" in pod "{pod}" is waiting to start: ContainerCreating'
            raise _Refused(400, "BadRequest", said)
        answer = web.StreamResponse(headers={"Content-Type": "text/plain"})
        await answer.prepare(request)
        tail = int(request.query.get("tailLines", len(lines)))
        await answer.write("".join(f"{line}\n" for line in lines[len(lines) - min(tail, len(lines)) :]).encode())
        if request.query.get("follow") == "true":
            await asyncio.Event().wait()
        await answer.write_eof()
        return answer

    async def proxy(self, request: web.Request) -> web.StreamResponse:
        verb = {"GET": "get", "POST": "create"}[request.method]
        self._may(request, verb, "services/proxy")
        namespace, name = request.match_info["namespace"], request.match_info["name"]
        if (backend := self._cluster.backends.get(f"{namespace}/{name}")) is None:
            raise _Refused(503, "ServiceUnavailable", f'no endpoints available for service "http:{name}:8700"')
        url = f"{backend}/{request.match_info['path']}"
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _PRIVATE}
        async with (
            aiohttp.ClientSession(auto_decompress=False) as session,
            session.request(
                request.method, url, params=request.query, data=await request.read(), headers=headers
            ) as behind,
        ):
            kept = {name: value for name, value in behind.headers.items() if name.lower() not in _PRIVATE}
            answer = web.StreamResponse(status=behind.status, headers=kept)
            await answer.prepare(request)
            async for piece in behind.content.iter_any():
                await answer.write(piece)
            await answer.write_eof()
            return answer


def _pairs(selector: str) -> dict[str, str]:
    return dict(part.split("=", 1) for part in selector.split(",") if part)
