"""A company in a cluster: which one is meant, and how its gateway is reached."""

import base64
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2

from aicompany.errors import CompanyNotRunning, NotFound
from aicompany.spec.child_names import child_name
from aicompany_desk.cluster.api import ClusterApi, cluster_api, refusal
from aicompany_desk.cluster.place import ClusterForbidden, ClusterPlace, ClusterUnusable
from aicompany_desk.gateway.token import TOKEN_VARIABLE

_PORT = 8700
_LABELS = "aicompany.io/company={name},aicompany.io/role=gateway"


@dataclass(frozen=True, slots=True)
class CompanyThere:
    """A company found in the cluster."""

    namespace: str
    name: str
    resource: dict[str, Any]

    def condition(self, kind: str) -> dict[str, Any]:
        """One of its conditions; empty when the operator said nothing yet."""
        conditions = self.resource.get("status", {}).get("conditions", ())
        return next((dict(each) for each in conditions if each["type"] == kind), {})


async def find(api: ClusterApi, name: str | None, *, changes: bool = False) -> CompanyThere:
    """The company of this name in the namespace, else the only one of it in the cluster; without a name, the only one.

    A namespace that was asked for is not left; nor is the context's, when the company is to be changed. Raises
    `CompanyNotRunning` when there is none or more than one could be meant.
    """
    namespace = api.login.namespace
    if name is not None:
        try:
            return CompanyThere(namespace, name, await api.company(namespace, name))
        except NotFound:
            pass
    found = await _all(api)
    is_bound = changes or api.login.is_namespace_named
    fitting = [each for each in found if name in {None, each.name} and (not is_bound or each.namespace == namespace)]
    if len(fitting) == 1:
        return fitting[0]
    if not fitting:
        wanted = f"company {name}" if name else "company"
        place = f"namespace {namespace} of " if is_bound else ""
        there = ", ".join(f"{each.namespace}/{each.name}" for each in found)
        known = f"; there are {there}" if there else ""
        raise CompanyNotRunning(f"there is no {wanted} in {place}the cluster at {api.login.host}{known}")
    places = ", ".join(f"{each.namespace}/{each.name}" for each in fitting)
    raise CompanyNotRunning(f"there are several ({places}); name one with --company and --namespace")


async def _all(api: ClusterApi) -> list[CompanyThere]:
    try:
        try:
            items = await api.companies()
        except ClusterForbidden:
            items = await api.companies(api.login.namespace)
    except NotFound as error:
        raise CompanyNotRunning(
            f"the cluster at {api.login.host} knows no companies; apply the CRD and the operator first"
        ) from error
    return [CompanyThere(item["metadata"]["namespace"], item["metadata"]["name"], item) for item in items]


@asynccontextmanager
async def door_of(place: ClusterPlace, name: str | None) -> AsyncIterator[httpx2.AsyncClient]:
    """An HTTP client at the company's gateway, through the API server. Raises `CompanyNotRunning` with the reason."""
    async with cluster_api(place) as api:
        company = await find(api, name)
        async with gateway_of(api, company) as http:
            yield http


@asynccontextmanager
async def gateway_of(api: ClusterApi, company: CompanyThere) -> AsyncIterator[httpx2.AsyncClient]:
    """The same for a company that was found already."""
    _refuse_resting(company)
    services = await api.core(company.namespace, "services", labelSelector=_LABELS.format(name=company.name))
    names = [service["metadata"]["name"] for service in services.get("items", ())]
    if not names:
        said = company.condition("Ready").get("message", "the operator has not looked at it yet")
        raise CompanyNotRunning(f"company {company.namespace}/{company.name} has no gateway yet: {said}")
    token = await token_of(api, company)
    async with api.proxy(company.namespace, names[0], _PORT, token, lambda said: _no_answer(company, said)) as http:
        yield http


def _no_answer(company: CompanyThere, response: httpx2.Response) -> Exception:
    """Why nobody answers behind the API server's proxy, as far as the operator knows."""
    said = refusal(response)
    if isinstance(said, ClusterForbidden) or response.status_code == 401:
        return said
    ready = company.condition("Ready").get("message", "the operator has not looked at it yet")
    sentence = f"the gateway of company {company.namespace}/{company.name} does not answer ({said.message}); {ready}"
    if company.resource.get("spec", {}).get("paused"):
        resume = f"kubectl aicompany resume {company.name} -n {company.namespace}"
        sentence += f"; it is paused, so the operator repairs nothing until: {resume}"
    return CompanyNotRunning(sentence)


def _refuse_resting(company: CompanyThere) -> None:
    if company.resource.get("spec", {}).get("hibernated"):
        raise CompanyNotRunning(
            f"company {company.name} is hibernated; wake it with: kubectl aicompany wake {company.name}"
        )


async def token_of(api: ClusterApi, company: CompanyThere) -> str | None:
    """The gateway's token: of the environment, else of the Secret. Raises `ClusterUnusable` when neither is there."""
    given = os.environ.get(TOKEN_VARIABLE, "").strip()
    if given:
        return given
    named = company.resource.get("spec", {}).get("gateway", {}).get("tokenSecret")
    secret, key = (named["name"], named["key"]) if named else (child_name(company.name, "credentials"), "token")
    try:
        data = (await api.core(company.namespace, "secrets", secret)).get("data", {})
        return base64.b64decode(data[key]).decode().strip()
    except (ClusterForbidden, NotFound, KeyError, ValueError) as error:
        raise ClusterUnusable(
            f"the gateway's token cannot be read from Secret {company.namespace}/{secret}; ask for the right to "
            f"read it, or set {TOKEN_VARIABLE}"
        ) from error
