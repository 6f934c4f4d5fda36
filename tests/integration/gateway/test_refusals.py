"""What the door refuses, and how it says so."""

import asyncio

import pytest
from tests.contract.event_store import append, change, completed, submitted

from aicompany.ports.broker import Outgoing


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ({"prompt": 3}, "prompt: 3 is not text; put it in quotes"),
        ({"prompt": "p", "colour": "red"}, "colour: unknown field"),
        ({"prompt": "p", "title": "t" * 201}, "title: is too long a text; it may have 200 characters at most"),
        ({"prompt": "p", "deadline_seconds": 0}, "deadline_seconds: 0 is out of range; it should be greater than 0"),
        ([], "the body must be a JSON object, sent with Content-Type: application/json"),
    ],
)
async def test_what_is_wrong_with_an_order_is_said_by_its_fields(door, body, sentence):
    answer = await door.http.post("/v1/tasks", json=body)
    assert (answer.status_code, answer.json()["detail"]) == (422, sentence)


@pytest.mark.parametrize(
    ("content", "kind", "status", "words"),
    [
        (b"{", "application/json", 422, "no valid JSON"),
        (b"[" * 100_000, "application/json", 400, "cannot be read as JSON"),
        (b"hello", "text/plain", 422, "Content-Type: application/json"),
    ],
)
async def test_bodies_that_are_no_order(door, content, kind, status, words):
    answer = await door.http.post("/v1/tasks", content=content, headers={"content-type": kind})
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert words in answer.json()["detail"]


async def test_addresses_and_methods_that_are_not_there_name_the_description(door):
    for method, path, status in (("GET", "/nowhere", 404), ("PUT", "/v1/tasks", 405), ("POST", "/v1/dead", 405)):
        answer = await door.http.request(method, path)
        assert (answer.status_code, "/openapi.json" in answer.json()["detail"]) == (status, True)


async def test_a_lane_is_full_by_what_waits_is_at_work_or_comes_later(door):
    waiting, later = Outgoing("pm.normal", b"{}", "m1"), Outgoing("pm.normal", b"{}", "m2", delay_seconds=60)
    await door.broker.publish([waiting, later])
    refused = await door.http.post("/v1/tasks", json={"prompt": "x", "priority": "normal"})
    assert (refused.status_code, refused.json()["code"]) == (429, "queue_full")
    assert int(refused.headers["retry-after"]) >= 1
    taken = await door.http.post("/v1/tasks", json={"prompt": "x", "priority": "low"})
    assert taken.status_code == 202, "each lane has its own limit"


async def test_a_backlog_before_the_queues_counts_as_full(door):
    answers = [await door.http.post("/v1/tasks", json={"prompt": "x"}) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [202, 202, 429]


async def test_what_has_ended_cannot_be_cancelled_and_cancelling_needs_no_worker(door):
    await door.store.commit(change(append("done", 0, submitted(), completed())))
    await door.store.commit(change(append("open", 0, submitted())))
    refused = await door.http.post("/v1/tasks/done/cancel")
    assert (refused.status_code, refused.json()["code"]) == (409, "not_possible")
    assert (await door.http.post("/v1/tasks/open/cancel")).status_code == 202


async def test_lists_are_filtered_and_go_on_before_an_order(door):
    for number in range(5):
        events = (submitted(), completed()) if number % 2 else (submitted(),)
        await door.store.commit(change(append(f"o{number}", 0, *events)))
    listed = (await door.http.get("/v1/tasks", params={"state": "completed"})).json()["tasks"]
    assert [task["id"] for task in listed] == ["o3", "o1"]
    page = (await door.http.get("/v1/tasks", params={"limit": 2, "before": "o3"})).json()["tasks"]
    assert [task["id"] for task in page] == ["o2", "o1"]
    assert {"prompt", "result"}.isdisjoint(page[0])


async def test_one_key_at_the_same_time_makes_one_order(door):
    posts = [door.http.post("/v1/tasks", json={"prompt": "p"}, headers={"idempotency-key": "k"}) for _ in range(8)]
    answers = await asyncio.gather(*posts)
    assert len({answer.json().get("id") for answer in answers if answer.status_code == 202}) == 1
    assert len((await door.http.get("/v1/tasks")).json()["tasks"]) == 1


async def test_health_readiness_metrics_and_status_answer(door):
    for path in ("/health", "/ready", "/metrics", "/v1/status"):
        assert (await door.http.get(path)).status_code == 200


async def test_under_overload_no_order_for_the_low_lane_is_taken_and_others_are(door):
    door.refuses_low_orders = True
    refused = await door.http.post("/v1/tasks", json={"prompt": "p", "priority": "low"})
    assert (refused.status_code, refused.json()["code"], refused.headers["retry-after"]) == (429, "queue_full", "30")
    assert "higher priority" in refused.json()["detail"]
    assert (await door.http.post("/v1/tasks", json={"prompt": "p", "priority": "normal"})).status_code == 202
    door.refuses_low_orders = False
    assert (await door.http.post("/v1/tasks", json={"prompt": "p", "priority": "low"})).status_code == 202
