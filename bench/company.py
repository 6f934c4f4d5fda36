"""A whole company, embedded, with an offline model that answers at once and everything stored."""

import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from aicompany.spec.company import AICompany
from aicompany.tasks.intake import OrderRequest, accept_order
from aicompany_desk.local.company import LocalCompany, run_company
from bench.figures import figure, heading, progress

ORDERS = 3000
AT_ONCE = 200
IDLE_ORDERS = 300


def company() -> AICompany:
    spec = {
        "gateway": {"port": 0},
        "model": {"provider": "offline"},
        "logging": {"level": "warning"},
        # As many workers from the beginning as there are in the end: the rate is measured, not the scaling.
        "scaling": {"intervalSeconds": 60},
    }
    return AICompany.model_validate(
        {"apiVersion": "aicompany.io/v1alpha1", "kind": "AICompany", "metadata": {"name": "bench"}, "spec": spec}
    )


async def hand_in(local: LocalCompany, number: int) -> str:
    """Hand an order in as the gateway does, without HTTP."""
    parts = local.parts
    accepted = accept_order(
        OrderRequest(prompt=f"Say hello to number {number}"),
        parts.spec.orders,
        now=parts.clock.now(),
        new_id=parts.ids.new_id,
        trace_id=parts.ids.new_trace_id(),
    )
    await parts.store.commit(accepted.change)
    return accepted.task_id


async def deliver(local: LocalCompany, number: int) -> float:
    """Seconds from handing in to `result_delivered` being stored."""
    started = time.perf_counter()
    order = await hand_in(local, number)
    with local.parts.store.watch(order) as changes:
        while True:
            await changes.wait(30)
            row = await local.parts.queries.task(order)
            if row is not None and row.delivered_at is not None:
                return time.perf_counter() - started


async def throughput(local: LocalCompany) -> None:
    """Orders are handed in as fast as `AT_ONCE` of them, not more, are under way."""
    handed_in = done = 0
    with (local.state.path / "notices.jsonl").open() as notices:
        notices.seek(0, 2)
        started = time.perf_counter()
        while done < ORDERS:
            room = min(AT_ONCE - (handed_in - done), ORDERS - handed_in)
            await asyncio.gather(*(hand_in(local, handed_in + number) for number in range(room)))
            handed_in += room
            await asyncio.sleep(0.01)
            done += len(notices.readlines())
            progress(f"{done} of {ORDERS} orders")
        rate = ORDERS / (time.perf_counter() - started)
    progress("")
    figure(f"orders end to end ({ORDERS}, {AT_ONCE} at once), everything stored", "≥ 300/s", f"{rate:,.0f}/s")


async def idle_latency(local: LocalCompany) -> None:
    times = sorted([await deliver(local, number) * 1000 for number in range(IDLE_ORDERS)])
    figure("an order on an idle company, p50", "-", f"{statistics.median(times):.1f} ms")
    figure("an order on an idle company, p99", "≤ 50 ms", f"{times[int(len(times) * 0.99)]:.1f} ms")


def first_run() -> None:
    times = []
    for _ in range(5):
        with tempfile.TemporaryDirectory() as state:
            command = [
                sys.executable, "-m", "aicompany_desk.cli.main", "run", "examples/company.yaml",
                "examples/orders/release-notes.yaml", "--state", state,
            ]  # fmt: skip
            started = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True, env={"AICOMPANY_MODEL__PROVIDER": "offline"})
            times.append(time.perf_counter() - started)
    figure("`aicompany run`, process start to its end, median of 5", "≤ 2 s", f"{statistics.median(times):.2f} s")
    times = []
    for _ in range(10):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-m", "aicompany_desk.cli.main", "--help"], check=True, capture_output=True)
        times.append((time.perf_counter() - started) * 1000)
    figure("`aicompany --help`, median of 10", "≤ 250 ms", f"{statistics.median(times):.0f} ms")


async def main() -> None:
    heading("the company on one machine, offline model")
    first_run()
    with tempfile.TemporaryDirectory() as directory:
        async with run_company(company(), Path(directory), environment={}) as local:
            await idle_latency(local)
            await throughput(local)


if __name__ == "__main__":
    asyncio.run(main())
