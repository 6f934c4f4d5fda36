"""`aicompany-operator`: hold the Lease, then care for the companies; when it is lost, wait for it again."""

import asyncio
import os
import secrets
import signal
import sys
import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime

import kopf
import structlog
from kubernetes.aio import config
from kubernetes.aio.client import ApiClient, Configuration
from prometheus_client import CollectorRegistry

from aicompany.errors import UserError
from aicompany_operator.handlers.registry import build_registry
from aicompany_operator.handlers.watched import Indices
from aicompany_operator.kubernetes_api.client import KubernetesApi
from aicompany_operator.kubernetes_api.errors import ApiRefused, ApiUnavailable, NotLeading
from aicompany_operator.leadership import Leadership
from aicompany_operator.liveness import Pulse, serving
from aicompany_operator.names import GROUP
from aicompany_operator.reconcile.fleet import Fleet
from aicompany_operator.reconcile.leftovers import Leftovers
from aicompany_operator.reconcile.places import Places
from aicompany_operator.reconcile.tools import Tools
from aicompany_operator.servers.depths import QueueDepths
from aicompany_operator.servers.postgres import StorePlaces
from aicompany_operator.servers.probes import check_key, reach
from aicompany_operator.servers.rabbitmq import BrokerPlaces
from aicompany_operator.settings import Settings, settings_of
from aicompany_operator.stopping import until
from aicompany_operator.telemetry.logs import write_logs_to_stdout
from aicompany_operator.telemetry.metrics import OperatorMetrics

log = structlog.get_logger()

_LEFTOVERS_SECONDS = 30.0
_EXIT_SETTINGS = 2
IN_CLUSTER = "KUBERNETES_SERVICE_HOST"
"""Set in every pod."""


def main() -> None:
    """The entry point. Exit code 0 after SIGTERM, 2 for settings that cannot be used."""
    write_logs_to_stdout()
    try:
        settings = settings_of(os.environ)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(_EXIT_SETTINGS)
    asyncio.run(run(settings))


async def run(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT."""
    stopping = asyncio.Event()
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(ApiClient(await _configuration()))
        metrics = OperatorMetrics(CollectorRegistry())
        leadership = Leadership(
            KubernetesApi(client, lambda: True, lambda _: None),
            namespace=settings.namespace,
            identity=settings.identity,
            seconds=settings.lease_seconds,
        )
        api = KubernetesApi(client, lambda: leadership.is_held, metrics.wrote)
        indices = Indices()
        fleet = Fleet(_tools(settings, api, indices), metrics)
        metrics.watch(
            companies=lambda: len(fleet.loops), observed=lambda: fleet.observed, leading=lambda: leadership.is_held
        )
        pulse = Pulse(leadership, fleet, time.monotonic())
        await stack.enter_async_context(serving(pulse, metrics.registry, port=settings.port))
        await stack.enter_async_context(leadership.given_back())
        log.info("operator.started", identity=settings.identity, namespaces=settings.watch_namespaces or "all")
        await until(stopping.wait(), _lead_again_and_again(settings, leadership, fleet, indices, stopping))
        log.info("operator.stopped")


async def _configuration() -> Configuration:
    configuration = Configuration()
    if IN_CLUSTER in os.environ:
        config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    else:
        await config.load_kube_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    return configuration


def _tools(settings: Settings, api: KubernetesApi, indices: Indices) -> Tools:
    places: dict[str, Places] = {}
    if settings.broker_admin_url is not None:
        places["broker"] = BrokerPlaces(settings.broker_admin_url, settings.broker_address)
    if settings.store_admin_url is not None:
        places["store"] = StorePlaces(settings.store_admin_url)
    return Tools(
        settings=settings,
        api=api,
        watched=indices,
        places=places,
        leftovers=Leftovers(api, settings.namespace, places),
        depths=QueueDepths(settings.broker_metrics_url) if settings.broker_metrics_url else None,
        reach=reach,
        check_key=check_key,
        now=lambda: datetime.now(UTC),
        monotonic=time.monotonic,
        draw_password=lambda: secrets.token_urlsafe(24),
    )


def _hear_signals(stopping: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stopping.set)


async def _lead_again_and_again(
    settings: Settings, leadership: Leadership, fleet: Fleet, indices: Indices, stopping: asyncio.Event
) -> None:
    while True:
        # kopf hears the signals while it runs, and does not give them back.
        _hear_signals(stopping)
        await leadership.acquired()
        over = asyncio.Event()
        # What an earlier term knew was true then.
        fleet.begin_term()
        indices.forget()
        async with asyncio.TaskGroup() as group:
            group.create_task(_lose(leadership, over))
            group.create_task(_sweep(fleet.tools.leftovers, over))
            group.create_task(_watch(settings, fleet, indices, over, stopping))


async def _lose(leadership: Leadership, over: asyncio.Event) -> None:
    try:
        await leadership.lost()
    finally:
        over.set()


async def _sweep(leftovers: Leftovers, over: asyncio.Event) -> None:
    while not over.is_set():
        try:
            await leftovers.remove_what_can_be()
        except (ApiUnavailable, ApiRefused, NotLeading) as error:
            log.warning("leftovers.not_swept", why=str(error))
        try:
            async with asyncio.timeout(_LEFTOVERS_SECONDS):
                await over.wait()
        except TimeoutError:
            continue


async def _watch(
    settings: Settings, fleet: Fleet, indices: Indices, over: asyncio.Event, stopping: asyncio.Event
) -> None:
    """Kopf at work, until the term is over."""
    namespaces = settings.watch_namespaces
    try:
        await kopf.operator(
            registry=build_registry(fleet, indices),
            settings=_kopf_settings(),
            # Of no use without peering, but kopf would ask the system for a user name that a container has not.
            identity=settings.identity,  # type: ignore[arg-type]
            standalone=True,
            clusterwide=not namespaces,
            namespaces=namespaces,
            stop_flag=over,
        )
    finally:
        if not over.is_set():
            # Nobody told kopf to end: it heard a signal.
            stopping.set()
        over.set()


def _kopf_settings() -> kopf.OperatorSettings:
    chosen = kopf.OperatorSettings()
    # Events are told once a transition, by the reconcile.
    chosen.posting.enabled = False
    chosen.persistence.finalizer = f"{GROUP}/cleanup"
    chosen.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=f"operator.{GROUP}")
    chosen.persistence.diffbase_storage = kopf.AnnotationsDiffBaseStorage(prefix=f"operator.{GROUP}")
    # A watch that falls silent is opened anew; the server ends each one earlier than that by itself.
    chosen.watching.server_timeout = 60
    chosen.watching.inactivity_timeout = 70
    chosen.watching.connect_timeout = 10
    # Thousands of pods in one answer would be held twice, as text and as objects.
    chosen.watching.chunk_size = 500
    chosen.networking.request_timeout = 30
    chosen.networking.error_backoffs = (1, 1, 2, 3, 5, 5, 5, 5)
    chosen.execution.max_workers = 2
    # The Lease is given back after kopf has ended; who does not want to wait so long is the kubelet.
    chosen.process.ultimate_exiting_timeout = None
    chosen.background.cancellation_polling = 5
    return chosen


if __name__ == "__main__":
    main()
