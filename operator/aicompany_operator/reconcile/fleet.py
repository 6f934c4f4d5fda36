"""All companies: one loop each, a bounded number at work at once."""

import asyncio
import random
import time
from collections.abc import Iterator, Mapping
from typing import Any

import structlog

from aicompany.errors import PassingError
from aicompany_operator.builders.credentials import credentials_name
from aicompany_operator.kubernetes_api.errors import ApiRefused, ApiUnavailable, NotLeading
from aicompany_operator.names import CompanyRef
from aicompany_operator.reconcile.company import company_of, ref_of
from aicompany_operator.reconcile.memory import Memory
from aicompany_operator.reconcile.reconcile import reconcile
from aicompany_operator.reconcile.tools import Tools
from aicompany_operator.telemetry.metrics import OperatorMetrics

log = structlog.get_logger()

_GATHER_SECONDS = 0.3
"""Changes come in swarms; one look answers a swarm."""
_GROWTH = 1.5
_UNWELL_GROWTH_MAX = 3.0
_RECONCILE_SECONDS = 60.0
"""No reconcile takes longer: each of its waits is shorter, and this is the last resort."""


class CompanyLoop:
    """One company's turn, again and again: woken by changes, otherwise by time."""

    def __init__(self, ref: CompanyRef, fleet: "Fleet") -> None:
        self.ref = ref
        self.memory = Memory()
        self.reconciled_at = time.monotonic()
        """Monotonic seconds of the last reconcile that ended, however it ended."""
        self.reconciles = 0
        self.is_ending = False
        self.is_queued = False
        """Whether it waits for one of the places that bound how many are at work."""
        self.turn = asyncio.Lock()
        """Held by a reconcile, and by the clean-up of a company that is deleted."""
        self._fleet = fleet
        self._woken = asyncio.Event()
        self._pause_seconds = 0.0

    def wake(self) -> None:
        """Something changed."""
        self._woken.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            self._woken.clear()
            await self._once()
            try:
                async with asyncio.timeout(self._pause_seconds):
                    await self._woken.wait()
            except TimeoutError:
                continue
            await asyncio.sleep(_GATHER_SECONDS)

    async def _once(self) -> None:
        fleet, settings = self._fleet, self._fleet.tools.settings
        body = fleet.bodies.get((self.ref.namespace, self.ref.name))
        if body is None or ref_of(body) != self.ref:
            self._pause_seconds = settings.resync_seconds
            return
        self.is_queued = True
        try:
            async with fleet.places, self.turn:
                self.is_queued = False
                if self.is_ending:
                    return
                is_well = await self._reconcile(body)
        finally:
            self.is_queued = False
        self.reconciled_at = fleet.progressed_at = time.monotonic()
        self.reconciles += 1
        if is_well:
            self._pause_seconds = settings.resync_seconds * random.uniform(0.9, 1.1)  # noqa: S311 - spreads the load
        else:
            most = settings.unwell_seconds * _UNWELL_GROWTH_MAX
            self._pause_seconds = min(max(self._pause_seconds * _GROWTH, settings.unwell_seconds), most)

    async def _reconcile(self, body: Mapping[str, Any]) -> bool:
        metrics = self._fleet.metrics
        begun = time.monotonic()
        outcome = "failed"
        try:
            async with asyncio.timeout(_RECONCILE_SECONDS):
                done = await reconcile(company_of(body), self._fleet.tools, self.memory)
            outcome = "well" if done.is_well else "unwell"
        except NotLeading:
            outcome = "not_leading"
        except (ApiUnavailable, ApiRefused, PassingError, TimeoutError) as error:
            log.warning("reconcile.failed", company=str(self.ref), why=str(error) or type(error).__name__)
        except Exception:
            # One company's mistake must not stop the others; the next turn tries again.
            log.exception("reconcile.broke", company=str(self.ref))
            outcome = "broke"
        finally:
            metrics.reconciled(outcome, time.monotonic() - begun)
        return outcome == "well"


class Fleet:
    """The companies this operator cares for."""

    def __init__(self, tools: Tools, metrics: OperatorMetrics) -> None:
        self.tools = tools
        self.metrics = metrics
        self.bodies: dict[tuple[str, str], Mapping[str, Any]] = {}
        """The newest version of each resource, as watched."""
        self.places = asyncio.Semaphore(tools.settings.reconciles_max)
        self.progressed_at = time.monotonic()
        """Monotonic seconds of the last reconcile of any company that ended."""
        self._loops: dict[CompanyRef, CompanyLoop] = {}

    def __repr__(self) -> str:
        return f"<Fleet of {len(self._loops)}>"

    @property
    def loops(self) -> tuple[CompanyLoop, ...]:
        """All that run."""
        return tuple(self._loops.values())

    @property
    def observed(self) -> int:
        """How many had their first turn."""
        return sum(loop.reconciles > 0 for loop in self._loops.values())

    def begin_term(self) -> None:
        """Forget everything: the Lease is held anew, and others may have acted meanwhile."""
        self.bodies.clear()
        self._loops.clear()
        self.progressed_at = time.monotonic()

    def see(self, body: Mapping[str, Any]) -> None:
        """A resource was made or changed."""
        ref = ref_of(body)
        before = self.bodies.get((ref.namespace, ref.name))
        self.bodies[ref.namespace, ref.name] = body
        loop = self._loops.get(ref)
        if loop is not None and (before is None or _matters(before, body, loop.memory.status)):
            loop.wake()

    def forget(self, ref: CompanyRef) -> None:
        """A resource is gone."""
        body = self.bodies.get((ref.namespace, ref.name))
        if body is not None and ref_of(body) == ref:
            del self.bodies[ref.namespace, ref.name]
        # The clean-up takes a turn of the loop, and makes one when the company's own has ended before.
        self._loops.pop(ref, None)

    def wake(self, namespace: str, company: str) -> None:
        """Something of the company changed."""
        body = self.bodies.get((namespace, company))
        if body is not None and (loop := self._loops.get(ref_of(body))) is not None:
            loop.wake()

    def wake_users_of(self, namespace: str, secret: str) -> None:
        """A Secret changed: those that use it, or wait for it, look again.

        Not every company of the namespace that is unwell: a hundred that begin together would wake each other.
        """
        for loop in self._loops.values():
            if loop.ref.namespace == namespace and self._concerns(loop, secret):
                loop.wake()

    def _concerns(self, loop: CompanyLoop, secret: str) -> bool:
        if (loop.ref.namespace, secret) in loop.memory.values or secret == credentials_name(loop.ref):
            return True
        body = self.bodies.get((loop.ref.namespace, loop.ref.name))
        return body is not None and secret in _secrets_named(body["spec"])

    def loop_of(self, ref: CompanyRef) -> CompanyLoop:
        """The company's loop, made when it is not there yet."""
        return self._loops.setdefault(ref, CompanyLoop(ref, self))

    async def live(self, ref: CompanyRef) -> None:
        """Run a company's loop until cancelled."""
        loop = self.loop_of(ref)
        try:
            await loop.run()
        finally:
            if self._loops.get(ref) is loop:
                del self._loops[ref]


def _secrets_named(section: Mapping[str, Any]) -> Iterator[str]:
    """Names of the Secrets that a specification names, in `…Secret: {name, key}`, valid or not."""
    for entry, value in section.items():
        if isinstance(value, Mapping):
            if entry.endswith("Secret"):
                yield str(value.get("name"))
            yield from _secrets_named(value)


def _matters(before: Mapping[str, Any], after: Mapping[str, Any], written: Mapping[str, Any] | None) -> bool:
    """Whether a change is more than our own report."""
    is_spec = before["metadata"].get("generation") != after["metadata"].get("generation")
    is_status = before.get("status") != after.get("status") and after.get("status") != written
    return is_spec or is_status or "deletionTimestamp" in after["metadata"]
