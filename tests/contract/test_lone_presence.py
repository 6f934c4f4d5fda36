"""A company of one process keeps the contract of presence."""

import pytest
from tests.contract.presence import PresenceContract

from aicompany_workers.clock import SystemClock
from aicompany_workers.presence import LonePresence


class TestLonePresence(PresenceContract):
    @pytest.fixture
    def presence(self):
        return LonePresence(SystemClock())
