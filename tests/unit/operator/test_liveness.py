"""When a process of the operator counts as stuck."""

from dataclasses import dataclass

import pytest

from aicompany_operator.liveness import overdue
from aicompany_operator.names import CompanyRef

ACME = CompanyRef("offices", "acme", "uid")
RESYNC = 60.0
LONG = 181.0


@dataclass
class Turn:
    reconciled_at: float = 0.0
    is_queued: bool = False
    is_ending: bool = False
    ref: CompanyRef = ACME


def stuck(turn, *, now, progressed_at):
    return overdue([turn], now=now, resync_seconds=RESYNC, progressed_at=progressed_at) == [turn]


def test_a_company_that_was_looked_at_lately_is_not_stuck():
    assert not stuck(Turn(), now=180.0, progressed_at=0.0)


def test_one_whose_loop_forgot_it_is_stuck_whatever_others_do():
    assert stuck(Turn(), now=LONG, progressed_at=LONG)


def test_one_that_waits_behind_others_is_not_stuck_while_they_get_on():
    assert not stuck(Turn(is_queued=True), now=1000.0, progressed_at=900.0)


def test_when_nobody_gets_on_those_who_wait_are_stuck():
    assert stuck(Turn(is_queued=True), now=1000.0, progressed_at=870.0)


@pytest.mark.parametrize("is_queued", [True, False])
def test_one_that_is_deleted_is_never_stuck(is_queued):
    assert not stuck(Turn(is_queued=is_queued, is_ending=True), now=1000.0, progressed_at=0.0)


def test_a_long_resync_gives_more_time():
    assert overdue([Turn()], now=1000.0, resync_seconds=600, progressed_at=1000.0) == []
