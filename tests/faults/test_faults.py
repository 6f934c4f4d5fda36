"""Thousands of numbered orders while something breaks every two seconds; afterwards each has happened exactly once.

`FAULTS_ORDERS`, `FAULTS_SEED` and `FAULTS_RATE` (orders a second) make it another run; `make faults` makes it long.
"""

import os
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from tests.faults.grounds import one_machine, over_servers
from tests.faults.model_api import LedgerApi
from tests.faults.run import Extent, Report, try_company
from tests.servers.server import ServerMissing

SEED = int(os.environ.get("FAULTS_SEED", "20261121"))
ORDERS = int(os.environ.get("FAULTS_ORDERS", "5000"))
RATE = float(os.environ.get("FAULTS_RATE", "40"))
ORDERS_ON_ONE_MACHINE = 1000
LATENCY_SECONDS = (0.02, 0.1)


@pytest.fixture
async def api() -> AsyncIterator[LedgerApi]:
    async with LedgerApi(latency_seconds=LATENCY_SECONDS, chance=random.Random(SEED)).serving() as api:
        assert isinstance(api, LedgerApi)
        yield api


def judged(report: Report, place: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    with capsys.disabled():
        print(f"\n{name}: {report}")
        for finding in report.verdict.findings[:20]:
            print(f"    {finding}")
    not_carried_out = [str(injected) for injected in report.injected if injected.failed]
    assert not not_carried_out
    assert report.verdict.counts["handed in"] == report.extent.orders
    assert report.verdict.charges == dict.fromkeys(report.verdict.charges, 0), f"the ledgers are in {place}"


def teller(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Progress, for those who wait."""

    def say(line: str) -> None:
        with capsys.disabled():
            print(line, flush=True)

    return say


@pytest.mark.timeout(600)
async def test_on_one_machine(api: LedgerApi, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    extent = Extent(SEED, min(ORDERS, ORDERS_ON_ONE_MACHINE), RATE)
    async with one_machine(tmp_path, api) as ground:
        report = await try_company(ground, api, extent, tmp_path, teller(capsys))
    judged(report, tmp_path, capsys, "faults on one machine")


@pytest.mark.timeout(600 + int(ORDERS / RATE) * 3)
async def test_over_servers(api: LedgerApi, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    extent = Extent(SEED, ORDERS, RATE)
    async with AsyncExitStack() as stack:
        try:
            ground = await stack.enter_async_context(over_servers(tmp_path, api))
        except ServerMissing as missing:
            pytest.skip(str(missing))
        report = await try_company(ground, api, extent, tmp_path, teller(capsys))
    judged(report, tmp_path, capsys, "faults over RabbitMQ, PostgreSQL and Redis")
