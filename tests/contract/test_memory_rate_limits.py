"""Limits of one process keep the contract."""

import pytest
from tests.contract.rate_limits import RateLimitsContract

from aicompany.spec.servers import LimitsSpec
from aicompany_workers.clock import SystemClock
from aicompany_workers.limits.memory import MemoryRateLimits


@pytest.fixture
def make():
    async def make(spec):
        return MemoryRateLimits.of(spec, SystemClock())

    return make


class TestMemoryRateLimits(RateLimitsContract):
    async def test_it_says_that_nobody_shares_them(self, make):
        assert (await make(LimitsSpec())).statistics().shared is False
