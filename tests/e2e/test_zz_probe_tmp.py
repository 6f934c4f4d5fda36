import asyncio, json
from tests.e2e.conftest import *  # noqa
from tests.messages_api.server import Reply
from tests.waiting import eventually
from aicompany.ports.broker import Outgoing
from aicompany.ids import message_id_of, TaskId
from aicompany.messaging.envelope import Envelope, Purpose
from aicompany.messaging.lanes import Lane
from aicompany.messaging.topology import queue_of


async def test_copy(start, api):
    api.latency_seconds = 1.0
    async with start(api=api) as client:
        task_id = await client.order("Say hello")
        await eventually(lambda: api.at_once == 1)
        task = await client.task(task_id)
        step = task["steps"][0]["id"]
        env = Envelope(id=message_id_of(Purpose.RUN_STEP, step, 1), purpose=Purpose.RUN_STEP, task_id=step,
                       lane=Lane.NORMAL, agent="generalist", trace_id=task["trace_id"])
        await client.local.broker.publish([Outgoing(queue_of(env), env.to_json(), env.id)])
        task = await client.delivered(task_id, within_seconds=8)
        assert task["state"] == "completed"


async def test_delivery(start, tmp_path):
    async with start(retry={"attemptsMax": 1, "delaySeconds": 0.02}) as client:
        blocker = tmp_path / "state" / "results"
        if blocker.exists():
            blocker.rmdir()
        blocker.write_text("in the way")
        task_id = await client.order("Say hello")
        async def dead():
            return (await client.http.get("/v1/dead")).json()["dead"]
        (letter,) = await eventually(dead)
        print(letter)
        blocker.unlink()
        answer = await client.http.post(f"/v1/dead/{letter['id']}/replay")
        assert answer.status_code == 202, answer.text
        await client.delivered(task_id, within_seconds=5)


async def test_replay_after_deadline(start, api):
    api.replies.append(Reply(stop_reason="refusal"))
    async with start(api=api) as client:
        task_id = await client.order("Say hello", deadline_seconds=1)
        assert (await client.delivered(task_id))["state"] == "failed"
        await asyncio.sleep(1.2)
        api.latency_seconds = 2.0
        await client.http.post("/v1/dead")
        task = await client.delivered(task_id, run=2)
        assert task["state"] == "completed", task["error_message"]


async def test_surrogate(start):
    async with start() as client:
        for body in ['{"prompt": "p", "attachments": [{"name": "a", "content": "\\ud800"}]}', '{"prompt":"p","title":"\\ud800"}', '{"prompt":"p","requester":"\\ud800"}', '{"prompt":"p","attachments":[{"name":"\\ud800","content":"x"}]}']:
            answer = await client.http.post("/v1/tasks", content=body, headers={"content-type": "application/json"})
            print(answer.status_code, answer.text[:200])
            assert answer.status_code in (400, 422)


async def test_bad_lists(start):
    async with start() as client:
        for prompt in ('[" "]', "[" * 50000, '["\\ud800"]'):
            task = await client.delivered(await client.order(prompt), within_seconds=8)
            print(task["state"], task["error_code"], task["error_message"])
            assert task["error_code"] in (None, "order_invalid")


async def test_cancel_after_reopen(start, api):
    api.replies.append(Reply(fault="hang"))
    async with start(api=api, workers={"drainSeconds": 0}) as client:
        pass
