"""The decorators: each hands over at once."""

import asyncio
from typing import Any

import kopf

from aicompany_operator.handlers.slim import make_kopf_slim
from aicompany_operator.handlers.toggles import make_kopf_frugal
from aicompany_operator.handlers.watched import Indices
from aicompany_operator.kubernetes_api.errors import ApiUnavailable, NotLeading
from aicompany_operator.kubernetes_api.resources import APPLIED, POD, SECRET, Resource
from aicompany_operator.names import GROUP, LABEL_COMPANY, PLURAL, VERSION
from aicompany_operator.observed.child import Child, child_of, companies_of, is_over, seen_pod
from aicompany_operator.observed.seen import SeenPod
from aicompany_operator.reconcile.company import ref_of
from aicompany_operator.reconcile.deletion import clean_up
from aicompany_operator.reconcile.fleet import Fleet
from aicompany_operator.stopping import until

_LABELLED = {LABEL_COMPANY: kopf.PRESENT}
_AGAIN_SECONDS = 3.0


def build_registry(fleet: Fleet, indices: Indices) -> kopf.OperatorRegistry:
    """Everything kopf is to call."""
    make_kopf_frugal()
    make_kopf_slim()
    registry = kopf.OperatorRegistry()
    kopf.on.login(registry=registry)(_log_in)
    _index_children(registry)
    _index_pods(registry)
    _index_secrets(registry, fleet)
    _wake(registry, fleet)
    _follow_companies(registry, fleet, indices)
    return registry


def _log_in(**kwargs: Any) -> kopf.ConnectionInfo | None:
    return kopf.login_via_client(**kwargs)


def _address(resource: Resource) -> tuple[str, str, str]:
    group, _, version = resource.api_version.rpartition("/")
    return group, version, resource.plural


def _index_children(registry: kopf.OperatorRegistry) -> None:
    def children(body: kopf.Body, namespace: str | None, labels: kopf.Labels, **_: Any) -> dict[tuple[str, str], Child]:
        return {(str(namespace), labels[LABEL_COMPANY]): child_of(dict(body))}

    for resource in APPLIED:
        kopf.index(*_address(resource), id="children", labels=_LABELLED, registry=registry)(children)


def _index_pods(registry: kopf.OperatorRegistry) -> None:
    @kopf.index(*_address(POD), id="pods", labels=_LABELLED, registry=registry)
    def pods(body: kopf.Body, namespace: str | None, labels: kopf.Labels, **_: Any) -> dict[tuple[str, str], SeenPod]:
        # One that failed or was evicted stays until somebody removes it; its ReplicaSet counts it no more, either.
        return {} if is_over(body) else {(str(namespace), labels[LABEL_COMPANY]): seen_pod(dict(body))}


def _index_secrets(registry: kopf.OperatorRegistry, fleet: Fleet) -> None:
    """Only versions: the values of Secrets that are not asked for do not stay in this process."""

    @kopf.index(*_address(SECRET), id="secrets", registry=registry)
    def secrets(meta: kopf.Meta, namespace: str | None, name: str, **_: Any) -> dict[tuple[str, str], str]:
        return {(str(namespace), name): str(meta["resourceVersion"])}

    @kopf.on.event(*_address(SECRET), id="secret-changed", registry=registry)
    def secret_changed(namespace: str | None, name: str, **_: Any) -> None:
        fleet.wake_users_of(str(namespace), name)


def _wake(registry: kopf.OperatorRegistry, fleet: Fleet) -> None:
    def child_changed(body: kopf.Body, namespace: str | None, **_: Any) -> None:
        for company in companies_of(body["metadata"]):
            fleet.wake(str(namespace), company)

    def is_child(body: kopf.Body, **_: Any) -> bool:
        return bool(companies_of(body["metadata"]))

    for resource in (*APPLIED, POD):
        kopf.on.event(*_address(resource), id="child-changed", when=is_child, registry=registry)(child_changed)


def _follow_companies(registry: kopf.OperatorRegistry, fleet: Fleet, indices: Indices) -> None:
    @kopf.on.event(GROUP, VERSION, PLURAL, id="company-changed", registry=registry)
    def company_changed(event: kopf.RawEvent, body: kopf.Body, **_: Any) -> None:
        if event["type"] == "DELETED":
            fleet.forget(ref_of(body))
        else:
            fleet.see(_plain(body))

    @kopf.daemon(
        GROUP, VERSION, PLURAL, id="company", registry=registry, cancellation_backoff=1.0, cancellation_timeout=5.0
    )
    async def company(body: kopf.Body, stopped: kopf.DaemonStopped, **kwargs: Any) -> None:
        # All indices are filled before any daemon begins.
        indices.children_index = kwargs["children"]
        indices.pods_index = kwargs["pods"]
        indices.secrets_index = kwargs["secrets"]
        # Left to kopf, it would be cancelled, with a warning for each company.
        await until(stopped.wait(), fleet.live(ref_of(body)))

    @kopf.on.delete(GROUP, VERSION, PLURAL, id="clean-up", registry=registry, backoff=_AGAIN_SECONDS)
    async def clean_up_company(body: kopf.Body, **_: Any) -> None:
        loop = fleet.loop_of(ref_of(body))
        loop.is_ending = True
        try:
            async with asyncio.timeout(60), loop.turn:
                left = await clean_up(ref_of(body), fleet.tools)
        except (ApiUnavailable, NotLeading, TimeoutError) as error:
            raise kopf.TemporaryError(str(error), delay=_AGAIN_SECONDS) from error
        fleet.metrics.cleaned_up("left" if left else "removed")


def _plain(body: kopf.Body) -> dict[str, Any]:
    """The resource at this moment: kopf's own view goes on changing."""
    return {
        "apiVersion": body["apiVersion"],
        "kind": body["kind"],
        "metadata": dict(body["metadata"]),
        "spec": dict(body.get("spec") or {}),
        "status": dict(body.get("status") or {}),
    }
