"""The same order twice is paid for once, shown as such everywhere; a cache's server that is away costs nothing else."""

import asyncio

import pytest
from tests.messages_api.limits import EnforcedLimits
from tests.messages_api.server import Reply


def answers(task):
    return [event["data"]["answer"] for event in task["history"] if event["type"] == "model_answered"]


async def twice(client, prompt="Say hello"):
    first = await client.delivered(await client.order(prompt))
    return first, await client.delivered(await client.order(prompt))


async def test_the_same_order_again_is_answered_from_memory(start, api):
    async with start(api=api) as client:
        first, second = await twice(client)
        status = (await client.http.get("/v1/status")).json()
        metrics = (await client.http.get("/metrics")).text
    assert len(api.requests) == 1
    assert (first["result"], first["tokens"]) == (second["result"], 120)
    assert second["tokens"] == 0
    assert [answer["cached"] for task in (first, second) for answer in answers(task)] == [False, True]
    ended = [event["data"]["cached"] for event in second["history"] if event["type"] == "task_completed"]
    assert ended == [True, True]
    assert (status["model"]["cache"]["hits"], status["model"]["cache"]["misses"]) == (1, 1)
    assert "aicompany_cache_hits_total 1.0" in metrics


async def test_a_company_that_keeps_no_answers_asks_each_time(start, api):
    async with start(api=api, cache={"enabled": False}) as client:
        await twice(client)
    assert len(api.requests) == 2


async def test_answers_are_kept_and_limits_shared_on_the_server(start, api, redis_url, tmp_path):
    prompt = f"Say hello to {tmp_path.name}"
    async with start(api=api, cache={"url": redis_url}) as client:
        await twice(client, prompt)
    async with start(api=api, cache={"url": redis_url}, state=tmp_path / "another") as client:
        await twice(client, prompt)
        status = (await client.http.get("/v1/status")).json()
    assert len(api.requests) == 1
    assert status["model"]["limits"]["shared"] is True


@pytest.mark.parametrize("url", ["redis://:secret@127.0.0.1:9/0"])
async def test_a_server_that_is_away_costs_nothing_but_the_sharing(start, api, url):
    async with start(api=api, cache={"url": url}) as client:
        _, second = await twice(client)
        status = (await client.http.get("/v1/status")).text
    assert second["state"] == "completed"
    assert len(api.requests) == 1, "memory has it all the same"
    assert "secret" not in status


async def test_many_orders_keep_to_the_services_limits(start, api):
    api.limits = EnforcedLimits(requests=60)
    async with start(api=api) as client:
        orders = [await client.order(f"Say hello to guest {number}") for number in range(64)]
        tasks = await asyncio.gather(*(client.delivered(order, within_seconds=60) for order in orders))
    assert {task["state"] for task in tasks} == {"completed"}
    assert api.limits.refused == 0


async def test_an_order_that_failed_is_answered_anew_when_it_is_sent_again(start, api):
    unusable = Reply(content=({"type": "text", "text": "no plan at all"},))
    async with start(api=api) as client:
        api.script = lambda body: unusable if "output_config" in body else Reply()
        order = await client.order("Write a function", kind="code")
        assert (await client.delivered(order))["error_code"] == "answer_invalid"
        api.script = None
        await client.http.post("/v1/dead/replay")
        task = await client.delivered(order, run=2)
    assert task["state"] == "completed"
    assert not any(answer["cached"] for answer in answers(task))
