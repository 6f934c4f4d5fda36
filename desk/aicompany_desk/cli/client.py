"""How commands reach a company: its gateway over HTTP; when it does not run, the same gateway in this process."""

import json
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import click
import httpx2
from prometheus_client import CollectorRegistry

from aicompany.errors import CompanyNotRunning, NotFound, OrderInvalid
from aicompany.spec.company import CompanySpec
from aicompany_desk.cli.exit_codes import GatewayRefused
from aicompany_desk.cli.options import cluster_place
from aicompany_desk.cluster.api import has_kubeconfig
from aicompany_desk.cluster.company import door_of
from aicompany_desk.cluster.place import ClusterForbidden, ClusterPlace
from aicompany_desk.gateway.app import build_app
from aicompany_desk.gateway.ports import GatewayPorts
from aicompany_desk.gateway.token import TOKEN_VARIABLE, TokenUnusable
from aicompany_desk.state_place import FoundCompany, NoCompanyHere, find_company
from aicompany_workers.clock import RandomIds, SystemClock
from aicompany_workers.store.sqlite.database import SqliteDatabase
from aicompany_workers.store.sqlite.event_store import SqliteEventStore
from aicompany_workers.store.sqlite.migrations import check_schema
from aicompany_workers.store.sqlite.queries import SqliteQueries
from aicompany_workers.store.state_directory import STORE_FILE

_TIMEOUT = httpx2.Timeout(30.0, connect=5.0)
_STREAM_TIMEOUT = httpx2.Timeout(30.0, connect=5.0, read=60.0)
"""The gateway says something at least every 15 s."""


def path_of(*parts: str) -> str:
    """`/v1/…` of the parts, whatever letters an id was typed with. Raises `NotFound` for what can be no id."""
    try:
        quoted = [quote(part, safe="") for part in parts]
    except UnicodeEncodeError as error:
        raise NotFound("there is nothing with an id that is not text; `aicompany tasks` lists the orders") from error
    if not all(part.strip(".") for part in quoted):
        raise NotFound("there is nothing without an id; `aicompany tasks` lists the orders")
    return "/v1/" + "/".join(quoted)


class GatewayClient:
    """The gateway's routes as plain calls. Raises `GatewayRefused` for problems, `CompanyNotRunning` for silence."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self._http = http

    async def get(self, path: str, **query: Any) -> dict[str, Any]:  # noqa: ANN401 - query values of any type
        """GET as JSON."""
        return await self._call("GET", path, params={k: v for k, v in query.items() if v is not None})

    async def post(
        self,
        path: str,
        body: object = None,
        *,
        headers: dict[str, str] | None = None,
    ) -> dict[str, Any]:
        """POST JSON, get JSON."""
        return await self._call("POST", path, json=body, headers=headers)

    async def events(self, path: str) -> AsyncIterator[dict[str, Any]]:
        """The server-sent events of a path, each as its data."""
        try:
            async with self._http.stream("GET", path, timeout=_STREAM_TIMEOUT) as response:
                if response.status_code >= 400:
                    await response.aread()
                    raise _refusal(response)
                async for line in response.aiter_lines():
                    if line.startswith("data: "):
                        yield json.loads(line.removeprefix("data: "))
        except httpx2.TransportError as error:
            raise _silence() from error

    async def _call(self, method: str, path: str, **arguments: Any) -> dict[str, Any]:  # noqa: ANN401
        try:
            response = await self._http.request(method, path, **arguments)
        except httpx2.TransportError as error:
            raise _silence() from error
        except UnicodeEncodeError as error:
            raise OrderInvalid("what was typed or piped in is not valid UTF-8; mend it and try again") from error
        if response.status_code >= 400:
            raise _refusal(response)
        try:
            answer = response.json()
        except ValueError as error:
            raise _stranger(response) from error
        if response.status_code >= 300 or not isinstance(answer, dict):
            raise _stranger(response)
        return answer


def _refusal(response: httpx2.Response) -> GatewayRefused:
    try:
        detail = str(response.json()["detail"])
    except (ValueError, KeyError, TypeError):
        detail = f"the gateway answered {response.status_code} without saying why"
    return GatewayRefused(response.status_code, detail)


def _stranger(response: httpx2.Response) -> CompanyNotRunning:
    where = response.request.url.copy_with(path="/", query=None)
    return CompanyNotRunning(f"what answers at {where} is no company's gateway; name the right address with --url")


def _silence() -> CompanyNotRunning:
    return CompanyNotRunning("the company does not answer; start it with `aicompany up company.yaml`")


@asynccontextmanager
async def client_at(url: str) -> AsyncIterator[GatewayClient]:
    """A client of the gateway at this address, with the token of the environment."""
    token = os.environ.get(TOKEN_VARIABLE, "").strip()
    if not token.isascii():
        raise TokenUnusable(
            f"{TOKEN_VARIABLE} holds letters that no HTTP header can carry; set the token as it was given"
        )
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with httpx2.AsyncClient(base_url=url, timeout=_TIMEOUT, headers=headers, trust_env=False) as http:
        yield GatewayClient(http)


@asynccontextmanager
async def reach(
    company: str | None, url: str | None, state: Path | None, *, changes: bool
) -> AsyncIterator[GatewayClient]:
    """A client of the company that is meant. One that does not run can be looked at, but not asked to change."""
    if url is not None:
        async with client_at(_address(url)) as client:
            yield client
        return
    place = cluster_place()
    found, not_here = (None, None) if place.is_named else _on_this_machine(company, state, place)
    # Without a name, what does not run here is not exchanged for whatever runs there.
    name = found.state.name if found and company is None else company
    runs_here = found is not None and found.url is not None and await _answers(found.url)
    async with AsyncExitStack() as stack:
        if found is not None and found.url is not None and runs_here:
            yield await stack.enter_async_context(client_at(found.url))
        elif (there := await _in_cluster(stack, name, state, place, found=found, not_here=not_here)) is not None:
            yield there
        elif changes or found is None:
            where = f" in {found.state}" if found else ""
            raise CompanyNotRunning(f"the company{where} does not run; start it with `aicompany up company.yaml`")
        else:
            yield await stack.enter_async_context(_looked_at(found))


def _on_this_machine(
    company: str | None, state: Path | None, place: ClusterPlace
) -> tuple[FoundCompany | None, NoCompanyHere | None]:
    """The company, or why it can only be in a cluster. Raises `CompanyNotRunning` when there is none to look in."""
    try:
        return find_company(company, state), None
    except NoCompanyHere as error:
        if state is None and has_kubeconfig(place):
            return None, error
        raise


async def _in_cluster(
    stack: AsyncExitStack,
    company: str | None,
    state: Path | None,
    place: ClusterPlace,
    *,
    found: FoundCompany | None,
    not_here: NoCompanyHere | None,
) -> GatewayClient | None:
    """A client of the company in the cluster.

    One that is known on this machine but does not run here may live in a cluster as well; `None` when it does not.
    Raises `CompanyNotRunning` and `ClusterForbidden` for one that is known nowhere else.
    """
    if not place.is_named and (state is not None or not has_kubeconfig(place)):
        return None
    try:
        return GatewayClient(await stack.enter_async_context(door_of(place, company)))
    except (CompanyNotRunning, ClusterForbidden) as error:
        if found is not None:
            return None
        if not_here is None:
            raise
        raise type(error)(f"{not_here.message}. In the cluster: {error.message}") from error


def _address(url: str) -> str:
    """The address, when it can be one. Raises `click.UsageError`."""
    if not url.startswith(("http://", "https://")):
        raise click.UsageError(f"--url {url}: an address begins with http:// or https://")
    try:
        parts = urlsplit(url)
        is_usable = bool(parts.hostname) and parts.port != 0
        httpx2.URL(url)
    except (ValueError, httpx2.InvalidURL):
        is_usable = False
    if not is_usable:
        raise click.UsageError(f"--url {url}: this is no address; write it as http://127.0.0.1:8700")
    return url


async def _answers(url: str) -> bool:
    """Whether a company is there: one that was killed could not take its address back."""
    try:
        async with httpx2.AsyncClient(base_url=url, timeout=2.0, trust_env=False) as http:
            return (await http.get("/health")).status_code == 200
    except (httpx2.TransportError, httpx2.InvalidURL):
        return False


@asynccontextmanager
async def _looked_at(found: FoundCompany) -> AsyncIterator[GatewayClient]:
    """The gateway over the company's store, read only, inside this process."""
    store_file = found.state / STORE_FILE
    check_schema(store_file)
    clock = SystemClock()
    database = await SqliteDatabase(store_file, read_only=True).open()

    async def describe() -> dict[str, Any]:
        return {"company": found.state.name, "running": False, "workers": [], "queues": []}

    async def backlog() -> int:
        return 0

    ports = GatewayPorts(
        store=SqliteEventStore(database, clock),
        queries=SqliteQueries(database, clock),
        broker=None,
        clock=clock,
        ids=RandomIds(),
        token=None,
        describe=describe,
        backlog=backlog,
        registry=CollectorRegistry(),
    )
    try:
        transport = httpx2.ASGITransport(app=build_app(CompanySpec(), ports))
        async with httpx2.AsyncClient(transport=transport, base_url="http://company", timeout=_TIMEOUT) as http:
            yield GatewayClient(http)
    finally:
        await database.close()
