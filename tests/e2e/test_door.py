"""The gateway's manners: limits, tokens, problems, conversations, restarts."""

import json
import socket

import httpx2
import pytest
from tests.messages_api.server import Reply
from tests.waiting import eventually


async def test_bad_orders_are_problems_with_a_sentence(start):
    async with start(gateway={"port": 0, "requestBytesMax": 300_000}) as client:
        for body, status, words in [
            ({"prompt": " "}, 422, "empty"),
            ({}, 422, "prompt"),
            ({"prompt": "p", "priority": "soon"}, 422, "priority"),
            ({"prompt": "p", "colour": "red"}, 422, "colour"),
            ({"prompt": "x" * 270_000}, 413, "at most 262,144"),
            ({"prompt": "x" * 400_000}, 413, "300,000"),
            ({"prompt": "p", "attachments": [{"name": "../etc", "content": ""}]}, 422, "name"),
        ]:
            answer = await client.http.post("/v1/tasks", json=body)
            problem = answer.json()
            assert (answer.status_code, problem["status"]) == (status, status), problem
            assert answer.headers["content-type"] == "application/problem+json"
            assert words in problem["detail"]
        answer = await client.http.post("/v1/tasks", content=b"{not json", headers={"content-type": "application/json"})
        assert answer.status_code == 422
        assert (await client.http.get("/v1/tasks")).json() == {"tasks": []}


async def test_a_body_without_a_length_is_counted_while_it_comes(start):
    async def body():
        for _ in range(30):
            yield b"x" * 10_000

    async with start(gateway={"port": 0, "requestBytesMax": 100_000}) as client:
        answer = await client.http.post("/v1/tasks", content=body(), headers={"content-type": "application/json"})
        assert (answer.status_code, answer.json()["code"]) == (413, "request_too_large")


@pytest.mark.parametrize("prompt", ["[]", '["a", 3]', '["a", ""]'])
async def test_a_wrong_list_is_refused_at_the_door(start, prompt):
    async with start() as client:
        answer = await client.http.post("/v1/tasks", json={"prompt": prompt})
        assert (answer.status_code, answer.json()["code"]) == (422, "order_invalid")


async def test_a_key_that_was_used_for_another_order_is_refused(start):
    async with start() as client:
        key = {"idempotency-key": "k"}
        assert (await client.http.post("/v1/tasks", json={"prompt": "one"}, headers=key)).status_code == 202
        assert (await client.http.post("/v1/tasks", json={"prompt": "two"}, headers=key)).status_code == 409


async def test_a_fixed_health_port_is_shared_out_without_harm(start):
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        port = chosen.getsockname()[1]
    async with start(health={"port": port}) as client:
        assert (await client.delivered(await client.order("Say hello")))["state"] == "completed"
        workers = (await client.http.get("/v1/status")).json()["workers"]
    urls = [worker["health_url"] for worker in workers]
    assert f"http://127.0.0.1:{port}" in urls
    assert len(set(urls)) == len(workers) == 4


@pytest.mark.parametrize("servers", ["one machine"], indirect=True)
async def test_a_store_that_is_full_for_a_while_loses_nothing_and_makes_no_poison(start):
    async with start(queues={"deliveriesMax": 2}) as client:
        store = client.local.parts.store
        database = store._database
        orders = [await client.order(f"order {n}") for n in range(3)]
        for order in orders:
            await client.delivered(order)
        pages = await database.write(lambda c: c.execute("PRAGMA page_count").fetchone()[0])
        await database.write(lambda c: c.execute(f"PRAGMA max_page_count = {pages}").fetchone())
        refused = 0
        accepted = []
        while refused < 5:
            answer = await client.http.post("/v1/tasks", json={"prompt": "x" * 50_000})
            refused += answer.status_code == 503
            if answer.status_code == 202:
                accepted.append(answer.json()["id"])
        await database.write(lambda c: c.execute("PRAGMA max_page_count = 1000000").fetchone())
        for order in accepted:
            assert (await client.delivered(order, within_seconds=30))["state"] == "completed"
        assert (await client.http.get("/v1/dead")).json()["dead"] == []


async def test_unknown_things_are_404_and_name_the_way_out(start):
    async with start() as client:
        for path in ("/v1/tasks/nope", "/v1/conversations/nope", "/v1/dead/nope", "/v1/tasks/nope/events"):
            answer = await client.http.get(path)
            assert answer.status_code == 404
            assert "aicompany" in answer.json()["detail"]
        assert (await client.http.get("/nowhere")).json()["code"] == "http"


async def test_a_token_is_asked_for_when_there_is_one(start):
    async with start(token="t0ken") as client:
        missing = await client.http.get("/v1/tasks")
        wrong = await client.http.get("/v1/tasks", headers={"authorization": "Bearer wrong"})
        assert (missing.status_code, wrong.status_code) == (401, 401)
        assert "asks for a token" in missing.json()["detail"]
        assert "the token shown is not the one" in wrong.json()["detail"]
        assert (await client.http.get("/v1/tasks", headers={"authorization": "Bearer t0ken"})).status_code == 200
        assert (await client.http.get("/health")).status_code == 200
        assert "t0ken" not in client.local.state.log_file.read_text()


async def test_the_same_key_hands_an_order_in_once(start):
    async with start() as client:
        answers = [
            await client.http.post("/v1/tasks", json={"prompt": "p"}, headers={"idempotency-key": "k"})
            for _ in range(3)
        ]
        assert len({answer.json()["id"] for answer in answers}) == 1
        await client.delivered(answers[0].json()["id"])
        assert len((await client.http.get("/v1/tasks")).json()["tasks"]) == 1


async def test_a_full_lane_is_429_with_retry_after_and_what_was_accepted_is_done(start, api):
    api.script = lambda _: Reply(latency_seconds=0.2)
    limits = {"queues": {"lengthMax": 3}, "workers": {"pm": {"concurrency": 1}, "task": {"concurrency": 1, "max": 1}}}
    async with start(api=api, **limits) as client:
        accepted, refused = [], []
        for n in range(40):
            answer = await client.http.post("/v1/tasks", json={"prompt": f"order {n}"})
            (accepted if answer.status_code == 202 else refused).append(answer)
        assert refused
        assert {answer.status_code for answer in refused} == {429}
        assert int(refused[0].headers["retry-after"]) >= 1
        for answer in accepted:
            assert (await client.delivered(answer.json()["id"], within_seconds=60))["state"] == "completed"


async def test_a_conversation_goes_on_after_a_restart_and_places_orders(start, tmp_path):
    async with start() as client:
        conversation = (await client.http.post("/v1/conversations", json={"requester": "me"})).json()["id"]
        path = f"/v1/conversations/{conversation}"
        await client.http.post(f"{path}/turns", json={"text": "Good morning"})
        events = await client.events(f"{path}/events?until_turn=1")
        assert "turn 1" in events[-1]["data"]["text"]
    async with start() as client:
        await client.http.post(f"{path}/turns", json={"text": "How are you?"})
        events = await client.events(f"{path}/events?until_turn=2")
        assert "turn 2" in events[-1]["data"]["text"], "the first turn is remembered"
        await client.http.post(f"{path}/turns", json={"text": "order: write a haiku"})
        events = await client.events(f"{path}/events?until_turn=3")
        (order,) = events[-1]["data"]["orders"]
        task = await client.delivered(order)
    assert (task["state"], task["prompt"]) == ("completed", "write a haiku")


async def test_turns_said_at_once_are_answered_in_their_order(start, api):
    api.latency_seconds = 0.05
    async with start(api=api) as client:
        conversation = (await client.http.post("/v1/conversations", json={})).json()["id"]
        for n in range(1, 5):
            await client.http.post(f"/v1/conversations/{conversation}/turns", json={"text": f"turn {n}"})
        events = await client.events(f"/v1/conversations/{conversation}/events?until_turn=4")
    assert [e["data"]["turn"] for e in events if e["type"] == "turn_answered"] == [1, 2, 3, 4]
    assert len(api.requests) == 4
    assert len(api.requests[3]["messages"]) == 7


async def test_orders_left_from_before_are_carried_on(start, api):
    api.script = lambda _: Reply(fault="hang")
    async with start(api=api, workers={"drainSeconds": 0}) as client:
        orders = [await client.order(f"order {n}") for n in range(3)]
        await eventually(lambda: api.at_once == 3)
    api.script = None
    async with start(api=api) as client:
        tasks = [await client.delivered(order) for order in orders]
    assert [task["state"] for task in tasks] == ["completed"] * 3
    assert len(api.requests) == 6, "three were in flight when the company stopped, and only those were asked again"


async def test_a_stopping_worker_finishes_what_it_has(start, api):
    api.latency_seconds = 0.3
    async with start(api=api) as client:
        order = await client.order("Say hello")
        await eventually(lambda: api.at_once == 1)
    async with start(api=api) as client:
        assert (await client.delivered(order))["state"] == "completed"
    assert len(api.requests) == 1


async def test_the_api_describes_itself(start):
    async with start() as client:
        document = (await client.http.get("/openapi.json")).json()
    assert "/v1/tasks" in document["paths"]
    assert json.dumps(document)


async def test_a_second_company_in_the_same_directory_is_refused(start):
    from aicompany.errors import StateUnusable  # noqa: PLC0415

    async with start() as client:
        with pytest.raises(StateUnusable, match="is used by process"):
            async with start():
                pass
        assert isinstance(client.http, httpx2.AsyncClient)
