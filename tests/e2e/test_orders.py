"""Orders from the door to the result, on an offline company and on one whose model misbehaves in every way."""

import json

import pytest
from tests.messages_api.server import Reply
from tests.waiting import eventually

from aicompany.ids import TraceId, message_id_of
from aicompany.messaging.envelope import Envelope, Purpose
from aicompany.messaging.lanes import Lane
from aicompany.ports.broker import Outgoing
from aicompany_workers.runtime.effects import outgoing_of

CHANGELOG = "# Changelog\n\n## 2.0.0\n\n### Added\n\n- Wings\n\n## 1.0.0\n\n- Wheels\n"


def types(task):
    return [event["type"] for event in task["history"]]


async def test_a_plain_order_is_one_step_without_a_model_call_for_planning(start):
    async with start() as client:
        task = await client.delivered(await client.order("Say hello"))
    assert task["state"] == "completed"
    assert "Offline: no model was asked" in task["result"]
    assert types(task).count("model_answered") == 1
    assert [step["agent"] for step in task["steps"]] == ["generalist"]


async def test_an_order_with_a_file_is_planned_and_its_result_is_kept_with_the_files_it_made(start, tmp_path):
    attachments = [{"name": "CHANGELOG.md", "content": CHANGELOG}]
    async with start() as client:
        task_id = await client.order("Write release notes and save them as NOTES.md", attachments=attachments)
        task = await client.delivered(task_id)
        notices = client.notices()
    results = tmp_path / "state" / "results"
    assert task["kept_at"] == str(results / f"{task_id}.md")
    assert "Wings" in (results / f"{task_id}.md").read_text()
    assert "Wheels" not in (results / f"{task_id}.md").read_text()
    assert "Wings" in (results / f"{task_id}.files" / "NOTES.md").read_text()
    assert types(task).count("phase_completed") == 3
    assert [notice["task_id"] for notice in notices] == [task_id]


async def test_a_json_list_is_many_tasks_under_the_limit(start, api):
    api.latency_seconds = 0.1
    async with start(api=api, planning={"parallelMax": 3}) as client:
        task = await client.delivered(await client.order(json.dumps([f"task {n}" for n in range(9)])))
    assert len(task["steps"]) == 9
    assert api.at_once_max == 3
    assert task["result"].count("a fine answer") == 9


async def test_claude_plans_and_its_tokens_and_cost_are_metered(start, api):
    async with start(api=api) as client:
        task = await client.delivered(await client.order("Write a function", kind="code"))
    assert len(api.requests) == 2
    assert (task["tokens"], task["cost_usd"]) == (240, "0.0008")
    assert task["result"] == "a fine answer"


async def test_a_plan_that_cannot_be_used_is_sent_back_once_with_what_is_wrong(start, api):
    api.replies.append(Reply(content=({"type": "text", "text": '{"phases": []}'},)))
    async with start(api=api) as client:
        task = await client.delivered(await client.order("Write a function", kind="code"))
    assert task["state"] == "completed"
    assert "has no phase" in json.dumps(api.requests[1]["messages"])


@pytest.mark.parametrize("status", [429, 500, 529])
async def test_a_passing_fault_is_retried_and_the_order_completes(start, api, status):
    api.replies.extend([Reply(status=status), Reply(status=status)])
    async with start(api=api) as client:
        task = await client.delivered(await client.order("Say hello"))
    assert task["state"] == "completed"
    assert types(task).count("retry_scheduled") == 2
    assert len(api.requests) == 3


async def test_retry_after_is_honoured(start, api):
    api.replies.append(Reply(status=429, headers={"retry-after": "1"}))
    async with start(api=api) as client:
        task = await client.delivered(await client.order("Say hello"))
    retry = next(event for event in task["history"] if event["type"] == "retry_scheduled")
    assert retry["data"]["delay_seconds"] == 1.0


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (Reply(status=401), "credentials_invalid"),
        (Reply(status=400), "model_request_invalid"),
        (Reply(stop_reason="refusal"), "model_refused"),
        (Reply(stop_reason="max_tokens"), "answer_cut"),
        (Reply(stop_reason="model_context_window_exceeded"), "context_exceeded"),
        (Reply(text="  "), "answer_invalid"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_permanent_failure_ends_the_order_once_is_told_once_and_leaves_a_dead_letter(start, api, reply, code):
    api.script = lambda _: reply
    async with start(api=api) as client:
        task = await client.delivered(await client.order("Say hello"))
        dead = (await client.http.get("/v1/dead")).json()["dead"]
        notices = client.notices()
    assert (task["state"], task["error_code"]) == ("failed", code)
    assert len(api.requests) == 1
    assert [(letter["error_code"], letter["state"]) for letter in dead] == [(code, "buried")]
    assert [notice["kind"] for notice in notices] == ["failure"]
    assert "sk-test" not in json.dumps(task)


@pytest.mark.parametrize("reply", [Reply(raw=b"garbage"), Reply(fault="reset")], ids=["garbage", "reset"])
async def test_garbage_is_tried_three_times_then_given_up(start, api, reply):
    api.script = lambda _: reply
    async with start(api=api, breakers={"model": {"failuresMax": 10}}) as client:
        task = await client.delivered(await client.order("Say hello"))
    assert (task["state"], task["error_code"]) == ("failed", "model_unavailable")
    assert len(api.requests) == 3


async def test_a_model_that_says_nothing_is_given_up_at_the_timeout(start, api):
    api.script = lambda _: Reply(fault="hang")
    model = {"provider": "anthropic", "timeoutSeconds": 0.1}
    async with start(api=api, model=model, retry={"attemptsMax": 1}) as client:
        task = await client.delivered(await client.order("Say hello"))
    assert "did not answer within 0.1 s" in task["error_message"]


async def test_an_open_breaker_postpones_and_costs_no_try(start, api):
    api.replies.append(Reply(status=500))
    async with start(api=api, breakers={"model": {"failuresMax": 1, "openSeconds": 0.5}}) as client:
        first, second = await client.order("one"), await client.order("two")
        tasks = [await client.delivered(first), await client.delivered(second)]
    assert [task["state"] for task in tasks] == ["completed", "completed"]
    assert len(api.requests) == 3
    assert sum(types(task).count("retry_scheduled") for task in tasks) == 1


def failing_second_step(body):
    """A plan of one phase with two steps; the first writes a file, the second is refused until `mended`."""
    text = json.dumps(body["messages"])
    if "format" in body.get("output_config", {}):
        step = {"kind": "writing", "speciality": ""}
        steps = [{"title": t, "instruction": f"{t} it", **step} for t in ("write", "refuse")]
        plan = {"phases": [{"name": "both", "steps": steps}]}
        return Reply(text="", content=({"type": "text", "text": json.dumps(plan)},))
    if "refuse it" in text:
        return Reply(stop_reason="refusal", latency_seconds=0.3)
    if "tool_result" in text:
        return Reply(text="written")
    use = {"type": "tool_use", "id": "t", "name": "write_file", "input": {"path": "out.txt", "content": "x"}}
    return Reply(content=(use,), stop_reason="tool_use")


async def test_a_failed_phase_is_rolled_back_and_a_replayed_dead_letter_carries_on(start, api, tmp_path):
    api.script = failing_second_step
    async with start(api=api) as client:
        task_id = await client.order("Write a function", kind="code")
        task = await client.delivered(task_id)
        made = tmp_path / "state" / "workspaces" / task_id / "files" / "out.txt"
        assert task["state"] == "failed"
        assert "refuse" in task["error_message"]
        assert [step["state"] for step in task["steps"]] == ["undone", "undone"]
        assert not made.exists()

        api.script = lambda body: failing_second_step(json.loads(json.dumps(body).replace("refuse it", "mended it")))
        (letter,) = (await client.http.get("/v1/dead")).json()["dead"]
        answer = await client.http.post(f"/v1/dead/{letter['id']}/replay")
        assert answer.status_code == 202
        task = await client.delivered(task_id, run=2)
        assert task["state"] == "completed"
        assert made.read_text() == "x"
        assert types(task).count("plan_made") == 1, "the plan was paid once"
        again = await client.http.post(f"/v1/dead/{letter['id']}/replay")
        assert again.status_code == 409
        assert (await client.http.get("/v1/dead")).json()["dead"] == []


async def test_an_order_whose_planning_failed_is_planned_again_by_a_replay(start, api):
    api.replies.append(Reply(stop_reason="refusal"))
    async with start(api=api) as client:
        task_id = await client.order("Write a function", kind="code")
        assert (await client.delivered(task_id))["state"] == "failed"
        replayed = (await client.http.post("/v1/dead/replay")).json()
        assert (len(replayed["replayed"]), replayed["refused"]) == (1, [])
        assert (await client.delivered(task_id, run=2))["state"] == "completed"


async def test_a_cancelled_order_ends_cancelled_at_once(start, api):
    api.script = lambda _: Reply(fault="hang")
    async with start(api=api, workers={"drainSeconds": 0}) as client:
        task_id = await client.order("Say hello")
        await eventually(lambda: api.at_once == 1)
        assert (await client.http.post(f"/v1/tasks/{task_id}/cancel")).status_code == 202
        task = await client.delivered(task_id)
        assert task["state"] == "cancelled"
        assert (await client.http.post(f"/v1/tasks/{task_id}/cancel")).status_code == 409


async def test_an_order_past_its_deadline_fails_with_the_deadline(start, api):
    api.script = lambda _: Reply(fault="hang")
    async with start(api=api, workers={"drainSeconds": 0}) as client:
        task = await client.delivered(await client.order("Say hello", deadline_seconds=0.5))
    assert (task["state"], task["error_code"]) == ("failed", "deadline_passed")


async def test_progress_can_be_followed_and_taken_up_again(start):
    async with start() as client:
        task_id = await client.order("Say hello")
        events = await client.events(f"/v1/tasks/{task_id}/events")
        assert events[0]["type"] == "task_submitted"
        assert events[-1]["type"] == "result_delivered"
        rest = await client.events(f"/v1/tasks/{task_id}/events", **{"last-event-id": str(events[3]["position"])})
        assert rest == events[4:]


async def test_one_trace_goes_through_the_whole_order(start):
    async with start() as client:
        task = await client.delivered(await client.order("Say hello"))
        log = (client.local.state.log_file).read_text()
    assert {event["metadata"]["trace_id"] for event in task["history"]} == {task["trace_id"]}
    lines = [json.loads(line) for line in log.splitlines()]
    ours = [line for line in lines if line.get("trace_id") == task["trace_id"]]
    assert {"order.planned", "step.completed", "order.completed", "order.delivered"} <= {
        line["message"] for line in ours
    }
    step = next(line for line in ours if line["message"] == "step.completed")
    assert {"timestamp", "level", "worker", "task_id", "message", "duration", "metadata", "trace_id"} == step.keys()
    assert step["metadata"]["tokens_used"] > 0


async def test_a_worker_that_crashes_is_replaced_and_its_orders_complete(start, api):
    api.latency_seconds = 0.3
    async with start(api=api) as client:
        orders = [await client.order(f"order {n}") for n in range(5)]
        await eventually(lambda: api.at_once >= 1)
        client.local.cluster.crash("task.generalist-1")
        tasks = [await client.delivered(order) for order in orders]
        workers = (await client.http.get("/v1/status")).json()["workers"]
    assert [task["state"] for task in tasks] == ["completed"] * 5
    crashed = next(worker for worker in workers if worker["name"] == "task.generalist-1")
    assert (crashed["restarts"], crashed["ready"]) == (1, True)


async def test_workers_follow_the_queue_and_go_back(start, api):
    api.latency_seconds = 0.2
    scaling = {"intervalSeconds": 0.05, "cooldownSeconds": 0.1, "queuePerWorker": 1}
    workers = {"task": {"min": 1, "max": 4, "concurrency": 2}}
    async with start(api=api, scaling=scaling, workers=workers) as client:

        async def replicas():
            workers = (await client.http.get("/v1/status")).json()["workers"]
            return sum(worker["group"] == "task.generalist" for worker in workers)

        orders = [await client.order(f"order {n}") for n in range(30)]

        async def grown():
            return await replicas() == 4

        async def shrunk():
            return await replicas() == 1

        await eventually(grown)
        tasks = [await client.delivered(order) for order in orders]
        await eventually(shrunk)
    assert {task["state"] for task in tasks} == {"completed"}
    assert len(api.requests) == 30, "no worker that left was interrupted"


async def test_every_worker_tells_its_health_and_metrics(start):
    async with start() as client:
        await client.delivered(await client.order("Say hello"))
        workers = (await client.http.get("/v1/status")).json()["workers"]
        for worker in workers:
            for path in ("/health", "/ready"):
                answer = await client.http.get(worker["health_url"] + path)
                assert answer.json()["worker"] == worker["name"]
            metrics = (await client.http.get(worker["health_url"] + "/metrics")).text
            assert 'aicompany_messages_handled_total{outcome="done",purpose="run_step",role="task"} 1.0' in metrics
    assert {worker["group"] for worker in workers} == {"pm", "result", "dialog", "task.generalist"}


async def test_an_open_breaker_postpones_planning_as_well(start, api):
    api.replies.append(Reply(status=500))
    async with start(api=api, breakers={"model": {"failuresMax": 1, "openSeconds": 0.3}}) as client:
        task = await client.delivered(await client.order("Write a function", kind="code"))
    assert task["state"] == "completed"
    assert "task_postponed" in types(task)


async def test_what_nobody_can_read_becomes_a_dead_letter_and_holds_nothing_up(start):
    async with start() as client:
        garbage = Outgoing("pm.normal", b"\xffno envelope", "garbage-1")
        await client.local.parts.broker.publish([garbage])

        async def buried():
            return (await client.http.get("/v1/dead")).json()["dead"]

        (letter,) = await eventually(buried)
        assert (letter["id"], letter["queue"], letter["error_code"]) == ("garbage-1", "pm.normal", "message_unreadable")
        assert (await client.http.post("/v1/dead/garbage-1/replay")).status_code == 409
        await client.local.parts.broker.publish([garbage])
        assert (await client.delivered(await client.order("Say hello")))["state"] == "completed"
        await eventually(lambda: "dead:garbage-1" in [notice["id"] for notice in client.notices()])
    assert sorted(notice["kind"] for notice in client.notices()) == ["dead_letter", "result"]


async def test_a_delivery_that_fails_for_good_is_told_once_and_its_replay_brings_the_result(start):
    async with start() as client:
        in_the_way = client.local.state.path / "results"
        in_the_way.write_text("")
        task_id = await client.order("Say hello")
        (notice,) = await eventually(client.notices)
        assert (notice["kind"], notice["task_id"]) == ("dead_letter", task_id)
        (letter,) = (await client.http.get("/v1/dead")).json()["dead"]
        assert notice["id"] == f"dead:{letter['id']}"
        in_the_way.unlink()
        assert (await client.http.post(f"/v1/dead/{letter['id']}/replay")).status_code == 202
        assert (await client.delivered(task_id))["state"] == "completed"
        shown = (await client.http.get(f"/v1/dead/{letter['id']}")).json()
    assert [event["type"] for event in shown["history"]] == ["message_buried", "message_replayed"]
    assert [notice["kind"] for notice in client.notices()] == ["dead_letter", "result"]


async def test_a_message_that_was_published_twice_has_its_effects_once(start, api):
    api.latency_seconds = 0.2
    async with start(api=api) as client:
        task_id = await client.order("Say hello")
        await eventually(lambda: api.at_once == 1)
        envelope = Envelope(
            id=message_id_of(Purpose.RUN_STEP, f"{task_id}.1.1"),
            purpose=Purpose.RUN_STEP,
            task_id=f"{task_id}.1.1",
            lane=Lane.NORMAL,
            agent="generalist",
            trace_id=TraceId("0" * 32),
        )
        await client.local.parts.broker.publish([outgoing_of(envelope), outgoing_of(envelope)])
        task = await client.delivered(task_id)
    assert types(task).count("model_answered") == 1
    assert types(task).count("step_ended") == 1
    assert len(api.requests) == 1
