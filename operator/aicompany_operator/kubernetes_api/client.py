"""The few calls the operator makes: read, server-side apply, delete. No call waits longer than 15 seconds."""

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

import aiohttp
from kubernetes.aio.client import ApiClient

from aicompany_operator.kubernetes_api.errors import ApiRefused, ApiUnavailable, NotLeading
from aicompany_operator.kubernetes_api.resources import Resource
from aicompany_operator.names import FIELD_MANAGER

_TIMEOUT_SECONDS = 15.0
_APPLY = "application/apply-patch+yaml"
_MERGE = "application/merge-patch+json"
_JSON = "application/json"

Manifest = dict[str, Any]


class KubernetesApi:
    """Objects as plain JSON. Every write first asks whether this process may write."""

    def __init__(self, client: ApiClient, may_write: Callable[[], bool], on_write: Callable[[str], None]) -> None:
        self._client = client
        self._may_write = may_write
        self._on_write = on_write

    async def get(self, resource: Resource, namespace: str, name: str) -> Manifest | None:
        """The object, `None` when there is none. Raises `ApiUnavailable`, `ApiRefused`."""
        return await self._found(self._call("GET", resource.path(namespace, name)))

    async def apply(self, resource: Resource, manifest: Mapping[str, Any]) -> Manifest:
        """Server-side apply: make it, or make it what the manifest says; fields others own by mistake are taken.

        Raises `ApiUnavailable`, `ApiRefused`, `NotLeading`.
        """
        metadata = manifest["metadata"]
        path = resource.path(metadata["namespace"], metadata["name"])
        return await self._write("PATCH", path, manifest, content=_APPLY, force="true")

    async def merge(self, resource: Resource, namespace: str, name: str, patch: Mapping[str, Any]) -> Manifest:
        """Change what the merge patch (RFC 7386) says. Raises as `apply`."""
        return await self._write("PATCH", resource.path(namespace, name), patch, content=_MERGE)

    async def apply_status(self, resource: Resource, manifest: Mapping[str, Any]) -> Manifest:
        """The same for the status alone."""
        metadata = manifest["metadata"]
        path = resource.path(metadata["namespace"], metadata["name"], "status")
        return await self._write("PATCH", path, manifest, content=_APPLY, force="true")

    async def create(self, resource: Resource, namespace: str, manifest: Mapping[str, Any]) -> Manifest:
        """Make it. Raises `ApiRefused` with status 409 when it is there already, and as `apply`."""
        return await self._write("POST", resource.path(namespace), manifest)

    async def replace(self, resource: Resource, manifest: Mapping[str, Any]) -> Manifest:
        """Put it in the place of the version it was read from. Raises `ApiRefused` with 409 when that is old."""
        metadata = manifest["metadata"]
        return await self._write("PUT", resource.path(metadata["namespace"], metadata["name"]), manifest)

    async def delete(
        self, resource: Resource, namespace: str, name: str, *, uid: str | None = None, grace_seconds: int | None = None
    ) -> None:
        """Delete it, only if it is the one with this uid. One that is gone is fine. Raises as `apply`."""
        options: Manifest = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background"}
        if uid is not None:
            options["preconditions"] = {"uid": uid}
        if grace_seconds is not None:
            options["gracePeriodSeconds"] = grace_seconds
        await self._found(self._write("DELETE", resource.path(namespace, name), options))

    async def delete_all(self, resource: Resource, namespace: str, selector: str, *, grace_seconds: int) -> None:
        """Delete every object with these labels. Raises as `apply`."""
        options: Manifest = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
            "gracePeriodSeconds": grace_seconds,
        }
        await self._write("DELETE", resource.path(namespace), options, labelSelector=selector)

    async def _found(self, call: Any) -> Manifest | None:  # noqa: ANN401 - a call under way
        try:
            found: Manifest = await call
        except ApiRefused as refused:
            if refused.status == 404:
                return None
            raise
        return found

    async def _write(self, method: str, path: str, body: Mapping[str, Any], **options: str) -> Manifest:
        if not self._may_write():
            raise NotLeading("this process does not hold the Lease; it writes nothing")
        answer = await self._call(method, path, body, **options)
        self._on_write(method)
        return answer

    async def _call(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, content: str = _JSON, **query: str
    ) -> Manifest:
        if content in {_APPLY, _MERGE}:
            query["fieldManager"] = FIELD_MANAGER
        url = f"{self._client.configuration.host}{path}{'?' + urlencode(query) if query else ''}"
        headers = {"Content-Type": content, "Accept": _JSON}
        try:
            async with asyncio.timeout(_TIMEOUT_SECONDS):
                await self._client.update_params_for_auth(headers, [], ["BearerToken"], path, method, None)
                rest = self._client.rest_client
                response = await rest.request(method, url, headers=headers, body=body)  # type: ignore[no-untyped-call]
                payload = await response.read()
        except (TimeoutError, OSError, aiohttp.ClientError) as error:
            raise ApiUnavailable(f"the API server does not answer ({type(error).__name__})") from error
        return _understood(response.status, payload)


def _understood(status: int, payload: bytes) -> Manifest:
    try:
        answer: Manifest = json.loads(payload)
    except ValueError as error:
        raise ApiUnavailable(f"the API server answered {status} with something unreadable") from error
    if status < 400:
        return answer
    message = str(answer.get("message", "no reason was given"))
    if status == 429 or status >= 500:
        raise ApiUnavailable(f"the API server cannot now ({status}): {message}")
    causes = tuple(str(cause.get("reason", "")) for cause in (answer.get("details") or {}).get("causes", ()))
    raise ApiRefused(message, status=status, reason=str(answer.get("reason", "")), causes=causes)
