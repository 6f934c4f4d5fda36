"""Who of several operators acts: the holder of a Lease, as Kubernetes' own controllers do it.

The holder renews the Lease every third of its length. It counts as held until two thirds of its length after the
beginning of the last renewal that succeeded, by this process's monotonic clock; a candidate takes it over only when it
has seen it unchanged for the whole length by its own clock. So the clocks of different machines need not agree, and
between two holders there is a pause.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import structlog

from aicompany_operator.kubernetes_api.client import KubernetesApi
from aicompany_operator.kubernetes_api.errors import ApiRefused, ApiUnavailable
from aicompany_operator.kubernetes_api.resources import LEASE

log = structlog.get_logger()

LEASE_NAME = "aicompany-operator"
_CONFLICT = 409


class Leadership:
    """Holds the Lease, or waits for it. `api` must allow writing at any time: the Lease decides who else may write."""

    def __init__(self, api: KubernetesApi, *, namespace: str, identity: str, seconds: float) -> None:
        self._api = api
        self._namespace = namespace
        self._identity = identity
        self._seconds = seconds
        self._held_until = 0.0
        self._seen: tuple[str, float] = ("", 0.0)
        """The Lease's version, and when it was first seen."""

    def __repr__(self) -> str:
        return f"<Leadership of {self._identity}: {'holds' if self.is_held else 'waits'}>"

    @property
    def is_held(self) -> bool:
        """Whether this process may act now."""
        return time.monotonic() < self._held_until

    async def acquired(self) -> None:
        """Return when the Lease is held."""
        while not await self._try():  # noqa: ASYNC110 - the Lease is somewhere else; it can only be asked
            await asyncio.sleep(self._seconds / 6)
        log.info("lease.held", identity=self._identity)

    async def lost(self) -> None:
        """Renew the Lease, and return when it could not be renewed in time."""
        while self.is_held:  # noqa: ASYNC110 - as above
            await asyncio.sleep(self._seconds / 3 if await self._try() else self._seconds / 15)
        log.warning("lease.lost", identity=self._identity)

    @asynccontextmanager
    async def given_back(self) -> AsyncIterator[None]:
        """At the end of the context the Lease is given back, so that another need not wait for it to run out."""
        try:
            yield
        finally:
            await self._give_back()

    async def _try(self) -> bool:
        begun = time.monotonic()
        try:
            async with asyncio.timeout(self._seconds / 3):
                is_ours = await self._take()
        except (ApiUnavailable, ApiRefused, TimeoutError) as error:
            log.warning("lease.not_reached", why=str(error) or "no answer in time")
            return False
        if is_ours:
            self._held_until = begun + self._seconds * 2 / 3
        return is_ours

    async def _take(self) -> bool:
        lease = await self._api.get(LEASE, self._namespace, LEASE_NAME)
        try:
            if lease is None:
                await self._api.create(LEASE, self._namespace, self._manifest(None))
                return True
            if not self._is_free(lease):
                return False
            await self._api.replace(LEASE, self._manifest(lease))
        except ApiRefused as refused:
            if refused.status == _CONFLICT:
                return False
            raise
        return True

    def _is_free(self, lease: dict[str, Any]) -> bool:
        holder = lease["spec"].get("holderIdentity")
        if holder in {self._identity, None, ""}:
            return True
        version, now = lease["metadata"]["resourceVersion"], time.monotonic()
        if self._seen[0] != version:
            self._seen = (version, now)
        return now - self._seen[1] > float(lease["spec"].get("leaseDurationSeconds", self._seconds))

    def _manifest(self, before: dict[str, Any] | None) -> dict[str, Any]:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        spec = dict(before["spec"]) if before else {}
        if spec.get("holderIdentity") != self._identity:
            spec |= {"acquireTime": now, "leaseTransitions": spec.get("leaseTransitions", -1) + 1}
        spec |= {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": max(1, round(self._seconds)),
            "renewTime": now,
        }
        metadata: dict[str, Any] = {"name": LEASE_NAME, "namespace": self._namespace}
        if before:
            metadata["resourceVersion"] = before["metadata"]["resourceVersion"]
        return {"apiVersion": LEASE.api_version, "kind": LEASE.kind, "metadata": metadata, "spec": spec}

    async def _give_back(self) -> None:
        if not self.is_held:
            return
        self._held_until = 0.0
        try:
            async with asyncio.timeout(self._seconds / 3):
                lease = await self._api.get(LEASE, self._namespace, LEASE_NAME)
                if lease is None or lease["spec"].get("holderIdentity") != self._identity:
                    return
                lease["spec"] |= {"holderIdentity": "", "leaseDurationSeconds": 1}
                await self._api.replace(LEASE, lease)
        except (ApiUnavailable, ApiRefused, TimeoutError) as error:
            log.warning("lease.not_given_back", why=str(error) or "no answer in time")
