"""Who is told of a dead letter: somebody, once, and nobody of a notice that failed."""

import json

import pytest

from aicompany.failure import Failure
from aicompany.ids import message_id_of
from aicompany.messaging.envelope import Envelope, Purpose
from aicompany.messaging.lanes import Lane
from aicompany.ports.event_store import Change
from aicompany_workers.clock import SystemClock
from aicompany_workers.notify.log import LogNotifier
from aicompany_workers.roles.orders import Orders
from aicompany_workers.roles.result import ResultRole
from aicompany_workers.runtime.failing import Failing
from aicompany_workers.runtime.role import Message
from aicompany_workers.store.sqlite.database import SqliteDatabase
from aicompany_workers.store.sqlite.event_store import SqliteEventStore
from aicompany_workers.store.sqlite.migrations import migrate
from aicompany_workers.tools.workspace import Workspaces

TOLD_BY_AN_END = {Purpose.PLAN_ORDER, Purpose.RUN_STEP, Purpose.ANSWER_TURN}
FAILURE = Failure(code="defect", message="it broke", permanent=True)


@pytest.fixture
async def store(tmp_path):
    migrate(tmp_path / "company.db")
    database = await SqliteDatabase(tmp_path / "company.db").open()
    yield SqliteEventStore(database, SystemClock())
    await database.close()


def envelope_of(purpose):
    return Envelope(
        id=message_id_of(purpose, "order"), purpose=purpose, task_id="order", lane=Lane.LOW, trace_id="0" * 32,
        details={"turn": 1, "letter": "l", "code": "c", "why": "w"},
    )  # fmt: skip


def notices_among(effects):
    envelopes = [Envelope.from_json(outgoing.body) for outgoing in effects.outgoing]
    return [envelope for envelope in envelopes if envelope.purpose is Purpose.TELL_BURIAL]


@pytest.mark.parametrize("purpose", Purpose)
async def test_a_letter_is_told_where_no_end_tells_it_and_a_notice_that_failed_makes_no_other(store, purpose):
    effects = await Failing(store).effects_of_giving_up(envelope_of(purpose), FAILURE)
    assert len(effects.appends) == 1
    told = notices_among(effects)
    assert len(told) == (0 if purpose in TOLD_BY_AN_END | {Purpose.TELL_BURIAL} else 1)


async def test_a_letter_that_is_buried_twice_is_told_once(store, tmp_path):
    dead, notices = envelope_of(Purpose.DELIVER_RESULT), tmp_path / "notices.jsonl"
    told = []
    for buried in (dead, dead.next_attempt()):
        effects = await Failing(store).effects_of_giving_up(buried, FAILURE)
        await store.commit(Change(appends=effects.appends))
        told += notices_among(effects)
    assert [envelope.id for envelope in told] == [told[0].id] * 2, "the inbox knows the second"
    for envelope in told:
        # A process that dies before its commit tells again; a new one has read what was told.
        role = ResultRole(Orders(store), LogNotifier(notices), Workspaces(tmp_path), tmp_path / "results")
        effects = await role.process_message(Message(envelope, "w", redelivered=True))
        assert (effects.appends, effects.outgoing) == ((), ())
    (line,) = notices.read_text().splitlines()
    notice = json.loads(line)
    assert (notice["id"], notice["kind"], notice["task_id"]) == (f"dead:{dead.stem}", "dead_letter", "order")
    assert "it broke (defect)" in notice["text"]
