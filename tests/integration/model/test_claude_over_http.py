"""Claude's adapter through the real SDK, over real HTTP, against a server that speaks the API with its faults."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime

import pytest
from tests.messages_api.server import MessagesApi, Reply
from tests.waiting import eventually

from aicompany import errors
from aicompany.ports.model import (
    ModelMessage,
    ModelRequest,
    OpaqueBlock,
    StopReason,
    TextBlock,
    ToolResultBlock,
    ToolSpec,
    ToolUseBlock,
)
from aicompany_workers.model.anthropic import AnthropicModel
from aicompany_workers.model.credentials import Credentials
from aicompany_workers.model.prices import PriceTable

KEY = "sk-ant-very-secret"


@pytest.fixture
async def api():
    async with MessagesApi().serving() as api:
        yield api


@pytest.fixture
async def model(api):
    model = AnthropicModel(Credentials(KEY, None, api.url), PriceTable.load())
    yield model
    await model.close()


def question(text="hi", **fields):
    values = {"model": "claude-sonnet-5-5", "max_tokens": 1000, "timeout_seconds": 5, **fields}
    return ModelRequest(messages=(ModelMessage(role="user", content=(TextBlock(text=text),)),), **values)


async def test_an_answer_with_its_tokens_and_its_price(api, model):
    answer = await model.answer(question(system="be brief"))
    assert (answer.text, answer.stop_reason, answer.request_id) == ("a fine answer", StopReason.END_TURN, "req_1")
    assert (answer.usage.input_tokens, answer.usage.output_tokens, answer.usage.calls) == (100, 20, 1)
    assert answer.usage.cost_usd == (100 * Decimal(2) + 20 * Decimal(10)) / 1_000_000
    assert api.requests[0]["system"] == "be brief"
    assert KEY in api.headers[0]["authorization"]


async def test_a_model_without_a_price_is_counted_in_tokens_only(model):
    usage = (await model.answer(question(model="claude-of-the-future"))).usage
    assert (usage.tokens, usage.cost_usd, usage.unpriced_calls) == (120, 0, 1)


async def test_a_dated_model_is_priced_as_its_family(model):
    assert (await model.answer(question(model="claude-haiku-4-5-20251001"))).usage.cost_usd > 0


@pytest.mark.parametrize("stop", StopReason)
async def test_every_stop_reason_comes_through(api, model, stop):
    api.replies.append(Reply(stop_reason=stop.value))
    assert (await model.answer(question())).stop_reason is stop


async def test_tools_and_unknown_blocks_go_both_ways_unharmed(api, model):
    thinking = {"type": "thinking", "thinking": "hm", "signature": "abc"}
    use = {"type": "tool_use", "id": "t1", "name": "write_file", "input": {"path": "a"}}
    api.replies.append(Reply(content=(thinking, use), stop_reason="tool_use"))
    tool = ToolSpec(name="write_file", description="d", input_schema={"type": "object"})
    answer = await model.answer(question(tools=(tool,)))
    assert isinstance(answer.content[0], OpaqueBlock)
    assert answer.content[1] == ToolUseBlock(id="t1", name="write_file", input={"path": "a"})
    result = ToolResultBlock(tool_use_id="t1", content="ok")
    history = (
        *question().messages,
        ModelMessage(role="assistant", content=answer.content),
        ModelMessage(role="user", content=(result,)),
    )
    await model.answer(question().model_copy(update={"messages": history}))
    sent = api.requests[1]["messages"]
    assert sent[1]["content"][0]["signature"] == "abc"
    assert sent[2]["content"] == [{"type": "tool_result", "tool_use_id": "t1", "content": "ok"}]


async def test_a_schema_is_asked_for_as_the_api_wants_it(api, model):
    schema = {"type": "object", "properties": {}, "additionalProperties": False}
    await model.answer(question(output_schema=schema))
    assert api.requests[0]["output_config"] == {"format": {"type": "json_schema", "schema": schema}}


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, errors.ModelRequestInvalid),
        (401, errors.CredentialsInvalid),
        (403, errors.CredentialsInvalid),
        (404, errors.ModelRequestInvalid),
        (413, errors.ModelRequestInvalid),
        (429, errors.ModelRateLimited),
        (500, errors.ModelUnavailable),
        (503, errors.ModelUnavailable),
        (529, errors.ModelOverloaded),
    ],
)
async def test_every_error_is_one_sentence_with_status_and_request_and_without_the_key(api, model, status, error):
    api.replies.append(Reply(status=status))
    with pytest.raises(error) as caught:
        await model.answer(question())
    assert type(caught.value) is error
    assert str(status) in caught.value.message
    assert "req_1" in caught.value.message
    assert KEY not in caught.value.message
    assert len(api.requests) == 1, "retries are ours, not the SDK's"


async def test_a_prompt_that_is_too_long_is_told_apart(api, model):
    api.replies.append(Reply(status=400, message="prompt is too long: 1200000 tokens > 1000000 maximum"))
    with pytest.raises(errors.ContextExceeded, match="attach less"):
        await model.answer(question())


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7),
        ({"retry-after": "86400"}, 86_400),
        ({"retry-after-ms": "1500", "retry-after": "2"}, 1.5),
        ({}, None),
        ({"retry-after": "soon"}, None),
    ],
)
async def test_the_wish_to_wait_is_passed_on_whatever_its_length(api, model, headers, seconds):
    api.replies.append(Reply(status=429, headers=headers))
    with pytest.raises(errors.ModelRateLimited) as caught:
        await model.answer(question())
    assert caught.value.retry_after_seconds == seconds


async def test_a_wish_to_wait_until_a_date(api, model):
    moment = datetime.now(UTC) + timedelta(seconds=100)
    api.replies.append(Reply(status=529, headers={"retry-after": format_datetime(moment, usegmt=True)}))
    with pytest.raises(errors.ModelOverloaded) as caught:
        await model.answer(question())
    assert 95 < (caught.value.retry_after_seconds or 0) <= 100


@pytest.mark.parametrize(
    "reply",
    [
        Reply(raw=b""),
        Reply(raw=b"<html>proxy says no</html>", headers={"content-type": "text/html"}),
        Reply(raw=b"{not json"),
        Reply(raw=b"[]"),
        Reply(raw=b'{"type": "message"}'),
        Reply(raw=b'{"content": "words", "stop_reason": "end_turn", "model": "m"}'),
        Reply(raw=b'"text"'),
        Reply(stop_reason="bored"),
        Reply(fault="reset"),
    ],
    ids=["empty", "html", "broken", "list", "bare", "wrong", "string", "unknown-stop", "reset"],
)
async def test_garbage_and_a_hang_up_mean_unavailable(api, model, reply):
    api.replies.append(reply)
    with pytest.raises(errors.ModelUnavailable):
        await model.answer(question())


async def test_silence_ends_at_the_timeout(api, model):
    api.replies.append(Reply(fault="hang"))
    with pytest.raises(errors.ModelUnavailable, match=r"0\.2 s"):
        await model.answer(question(timeout_seconds=0.2))


async def test_nobody_there_means_unavailable():
    model = AnthropicModel(Credentials(KEY, None, "http://127.0.0.1:9"), PriceTable.load())
    with pytest.raises(errors.ModelUnavailable, match="cannot be reached"):
        await model.answer(question())
    await model.close()


async def test_long_answers_are_streamed_and_whole(api, model):
    api.replies.append(Reply(text="word " * 500))
    answer = await model.answer(question(max_tokens=64_000))
    assert api.requests[0]["stream"] is True
    assert answer.text == "word " * 500
    assert (answer.stop_reason, answer.usage.output_tokens) == (StopReason.END_TURN, 20)


async def test_a_stream_that_is_cut_is_never_an_answer(api, model):
    api.replies.append(Reply(fault="cut", text="half of an answer"))
    with pytest.raises(errors.ModelUnavailable):
        await model.answer(question(max_tokens=64_000))


async def test_a_cancelled_call_lets_go(api, model):
    api.replies.append(Reply(fault="hang"))
    call = asyncio.create_task(model.answer(question()))
    await eventually(lambda: api.at_once == 1)
    call.cancel()
    await eventually(call.done)
    await eventually(lambda: api.at_once == 0)


async def test_five_hundred_calls_are_in_flight_at_once(api, model):
    api.latency_seconds = 0.5
    await asyncio.gather(*(model.answer(question(timeout_seconds=30)) for _ in range(500)))
    assert api.at_once_max >= 450
