"""The log notifier keeps the contract, also over a restart and after a line that was cut."""

import json

import pytest
from tests.contract.notifier import NotifierContract, notice

from aicompany_workers.notify.log import LogNotifier


@pytest.fixture
def path(tmp_path):
    return tmp_path / "below" / "notices.jsonl"


@pytest.fixture
def notifier(path):
    return LogNotifier(path)


class TestLogNotifier(NotifierContract):
    @pytest.fixture(autouse=True)
    def _remember(self, path):
        self.path = path

    async def told(self, notifier):
        return [json.loads(line)["id"] for line in self.path.read_text().splitlines()]

    async def test_what_was_told_before_a_restart_is_not_told_again(self, notifier, path):
        await notifier.notify(notice(1))
        restarted = LogNotifier(path)
        await restarted.notify(notice(1))
        await restarted.notify(notice(2))
        assert await self.told(restarted) == ["n1", "n2"]

    async def test_a_torn_line_harms_neither_what_follows_nor_what_was_told(self, notifier, path):
        await notifier.notify(notice(1))
        with path.open("a") as torn:
            torn.write('{"id": "n2", "kind"')
        restarted = LogNotifier(path)
        await restarted.notify(notice(2))
        await restarted.notify(notice(1))
        assert await self.told(restarted) == ["n1", "n2"]
