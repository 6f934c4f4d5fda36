"""One run of the checker: load and faults side by side, then quiet, then the evidence and its verdict."""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from tests.faults.evidence import Evidence
from tests.faults.grounds import DRAIN_SECONDS, Ground
from tests.faults.injection import Injected, Injector
from tests.faults.judge import Verdict, judge
from tests.faults.load import Load
from tests.faults.model_api import LedgerApi
from tests.faults.processes import Fleet
from tests.faults.schedule import schedule_of
from tests.faults.stores import notices_in, results_in

FAULT_EVERY_SECONDS = 2.0
_PROGRESS_SECONDS = 10.0
_STUCK_SECONDS = 90.0
"""Without anything more done after the last fault, what is still open counts as lost."""
_QUIET_SECONDS = 3.0
"""Doubles that are still under way show within this time."""


@dataclass(frozen=True, slots=True)
class Extent:
    """How much of it."""

    seed: int
    orders: int
    per_second: float

    @property
    def load_seconds(self) -> float:
        """How long the load takes when nothing holds it up."""
        return self.orders / self.per_second

    @property
    def load_seconds_max(self) -> float:
        """After that the rest is not handed in any more."""
        return 2 * self.load_seconds + 120


@dataclass(frozen=True, slots=True)
class Report:
    """What a run brought."""

    extent: Extent
    verdict: Verdict
    injected: tuple[Injected, ...]
    refusals: Counter[str]
    seconds: float
    settled_after: float
    """Seconds from the end of load and faults until everything was done."""

    def __str__(self) -> str:
        faults = Counter(injected.fault.kind.value for injected in self.injected)
        head = f"seed {self.extent.seed}, {self.extent.orders} numbers, {self.seconds:.0f} s"
        return "\n".join(
            [
                f"{head}; all done {self.settled_after:.0f} s after the last fault",
                _row("verdict", self.verdict.charges),
                _row("counted", self.verdict.counts),
                _row("faults", dict(sorted(faults.items())) | {"together": len(self.injected)}),
                _row("refused by the gateway, and handed in again", dict(self.refusals)),
            ]
        )


def _row(name: str, counts: dict[str, int]) -> str:
    return f"  {name}: " + (", ".join(f"{what} {count}" for what, count in counts.items()) or "nothing")


async def try_company(
    ground: Ground, api: LedgerApi, extent: Extent, place: Path, say: Callable[[str], None]
) -> Report:
    """Run it. What it saw is also in `place` as files, for whoever looks for the cause of a finding."""
    begun = time.monotonic()
    fleet = Fleet(ground.seats, environment=ground.environment, place=place / "processes", drain_seconds=DRAIN_SECONDS)
    load = Load(
        ground.gateway_url, count=extent.orders, per_second=extent.per_second, chance=random.Random(extent.seed)
    )
    injector = Injector(
        fleet, load, api, ground.proxies, ground.servers, ground.broker, ground.idle_queues,
        chance=random.Random(extent.seed + 1), injected=[], disturbances=[],
    )  # fmt: skip
    faults = schedule_of(extent.seed, seconds=extent.load_seconds, every_seconds=FAULT_EVERY_SECONDS, deck=ground.deck)
    async with asyncio.TaskGroup() as beside:
        keeping = beside.create_task(fleet.run())
        telling = beside.create_task(_tell(load, ground, injector, say))
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(extent.load_seconds_max), asyncio.TaskGroup() as together:
                    together.create_task(load.run())
                    together.create_task(injector.run(faults))
            over = time.monotonic()
            await _settle(load, ground, api)
            settled_after = time.monotonic() - over
            await fleet.stop()
        finally:
            telling.cancel()
            keeping.cancel()
    evidence = _evidence_of(ground, load, api, fleet, injector)
    _keep(place, evidence, injector)
    verdict = judge(evidence)
    seconds = time.monotonic() - begun
    return Report(extent, verdict, tuple(injector.injected), load.refusals, seconds, settled_after)


async def _settle(load: Load, ground: Ground, api: LedgerApi) -> None:
    """Until all that was accepted is done and nothing moves any more, or nothing has moved for too long."""
    seen: tuple[int, int] | None = None
    since = time.monotonic()
    while True:
        done, waiting = await asyncio.to_thread(ground.records.done), await asyncio.to_thread(ground.records.waiting)
        now = (done, len(api.calls))
        if now != seen:
            seen, since = now, time.monotonic()
        still_seconds = time.monotonic() - since
        is_done = done >= load.accepted and waiting == 0
        if still_seconds > (_QUIET_SECONDS if is_done else _STUCK_SECONDS):
            return
        await asyncio.sleep(0.2)


async def _tell(load: Load, ground: Ground, injector: Injector, say: Callable[[str], None]) -> None:
    begun = time.monotonic()
    while True:
        await asyncio.sleep(_PROGRESS_SECONDS)
        try:
            done = str(await asyncio.to_thread(ground.records.done))
        except Exception as error:  # noqa: BLE001 - the server may be away just now, on purpose
            done = f"unknown ({type(error).__name__})"
        say(
            f"  {time.monotonic() - begun:4.0f} s: {load.accepted} accepted, {done} done, "
            f"{len(injector.api.calls)} model calls, {len(injector.injected)} faults, "
            f"{len(injector.fleet.deaths)} processes ended"
        )


def _evidence_of(ground: Ground, load: Load, api: LedgerApi, fleet: Fleet, injector: Injector) -> Evidence:
    return Evidence(
        submissions=tuple(load.submissions.values()),
        calls=tuple(api.calls),
        deaths=tuple(fleet.deaths),
        disturbances=tuple(injector.disturbances),
        events=ground.records.events(),
        notices=tuple(task for state in ground.states for task in notices_in(state)),
        results={task: text for state in ground.states for task, text in results_in(state).items()},
    )


def _keep(place: Path, evidence: Evidence, injector: Injector) -> None:
    ledgers = {
        "submissions": evidence.submissions,
        "calls": evidence.calls,
        "deaths": evidence.deaths,
        "faults": tuple(injector.injected),
        "events": evidence.events,
    }
    for name, entries in ledgers.items():
        lines = (json.dumps(asdict(entry), default=str) for entry in entries)  # type: ignore[call-overload]
        (place / f"{name}.jsonl").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
