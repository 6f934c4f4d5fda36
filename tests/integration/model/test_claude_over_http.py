"""Claude's adapter through the real SDK, over real HTTP, against a server that speaks the API with its faults."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime

import pytest
from tests.messages_api.server import MessagesApi, Reply
from tests.waiting import eventually

from aicompany import errors
from aicompany.plans.proposal import PlanProposal, plan_of
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
from aicompany.spec.work import PlanningSpec
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
    assert sent[1]["content"] == [thinking, use]
    assert sent[2]["content"] == [{"type": "tool_result", "tool_use_id": "t1", "content": "ok"}]


async def test_a_schema_is_asked_for_as_the_api_wants_it(api, model):
    schema = {"type": "object", "properties": {}, "additionalProperties": False}
    await model.answer(question(output_schema=schema))
    assert api.requests[0]["output_config"] == {"format": {"type": "json_schema", "schema": schema}}


async def test_a_schema_is_kept_within_what_structured_output_takes(api, model):
    schema = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}, "required": ["n"]}
    await model.answer(question(output_schema=schema))
    sent = api.requests[0]["output_config"]["format"]["schema"]
    assert sent["additionalProperties"] is False
    assert "minimum" not in sent["properties"]["n"]


async def test_a_schema_that_is_none_is_told_before_anything_is_sent(api, model):
    with pytest.raises(errors.ModelRequestInvalid, match="schema"):
        await model.answer(question(output_schema={"properties": {}}))
    assert api.requests == []


async def test_a_plan_asked_for_as_structured_output_is_a_plan(model):
    answer = await model.answer(question(output_schema=PlanProposal.model_json_schema()))
    assert plan_of(answer.text, PlanningSpec()).phases


async def test_a_token_instead_of_a_key(api):
    model = AnthropicModel(Credentials(None, "a-token", api.url), PriceTable.load())
    await model.answer(question())
    await model.close()
    assert api.headers[0]["authorization"] == "Bearer a-token"


async def test_of_a_key_and_a_token_the_key_is_used(api):
    model = AnthropicModel(Credentials(KEY, "a-token", api.url), PriceTable.load())
    await model.answer(question())
    await model.close()
    assert "a-token" not in str(api.headers[0])
    assert KEY in str(api.headers[0])


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, errors.ModelRequestInvalid),
        (401, errors.CredentialsInvalid),
        (402, errors.ModelRequestInvalid),
        (403, errors.CredentialsInvalid),
        (404, errors.ModelRequestInvalid),
        (408, errors.ModelUnavailable),
        (409, errors.ModelUnavailable),
        (413, errors.ModelRequestInvalid),
        (422, errors.ModelRequestInvalid),
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


@pytest.mark.parametrize("status", [400, 401, 404, 500])
async def test_a_service_that_says_the_key_back_does_not_get_it_into_a_message(api, model, status):
    api.replies.append(Reply(status=status, message=f"no such key: {KEY}\nAuthorization: Bearer {KEY}"))
    with pytest.raises(errors.PermanentError if status < 500 else errors.PassingError) as caught:
        await model.answer(question())
    assert KEY not in caught.value.message
    assert "\n" not in caught.value.message


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


def broken(**fields):
    """A message of which some fields are not what the API promises."""
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-sonnet-5-5",
        "content": [{"type": "text", "text": "ok"}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 1, "output_tokens": 1},
    }
    return Reply(raw=json.dumps(message | fields).encode())


BROKEN = {
    "empty": Reply(raw=b""),
    "no-content": Reply(status=204, raw=b""),
    "html": Reply(raw=b"<html>proxy says no</html>", headers={"content-type": "text/html"}),
    "broken": Reply(raw=b"{not json"),
    "not-text": Reply(raw=b'{"a": "\xff\xfe"}'),
    "not-zipped": Reply(raw=b"words", headers={"content-encoding": "gzip"}),
    "list": Reply(raw=b"[]"),
    "null": Reply(raw=b"null"),
    "string": Reply(raw=b'"text"'),
    "bare": Reply(raw=b'{"type": "message"}'),
    "error-as-success": Reply(raw=b'{"type": "error", "error": {"type": "overloaded_error", "message": "x"}}'),
    "content-null": broken(content=None),
    "content-words": broken(content="words"),
    "content-of-words": broken(content=["words"]),
    "text-null": broken(content=[{"type": "text", "text": None}]),
    "tool-without-input": broken(content=[{"type": "tool_use", "id": "t", "name": "n"}]),
    "tool-input-list": broken(content=[{"type": "tool_use", "id": "t", "name": "n", "input": [1]}]),
    "usage-null": broken(usage=None),
    "usage-words": broken(usage={"input_tokens": "many", "output_tokens": 1}),
    "usage-negative": broken(usage={"input_tokens": -1, "output_tokens": 1}),
    "model-number": broken(model=3),
    "no-stop": broken(stop_reason=None),
    "unknown-stop": broken(stop_reason="bored"),
    "reset": Reply(fault="reset"),
}


async def test_the_message_before_it_is_broken_is_an_answer(api, model):
    api.replies.append(broken())
    assert (await model.answer(question())).text == "ok"


@pytest.mark.parametrize("max_tokens", [1000, 64_000], ids=["at-once", "streamed"])
@pytest.mark.parametrize("reply", BROKEN.values(), ids=BROKEN.keys())
async def test_garbage_and_a_hang_up_mean_unavailable(api, model, reply, max_tokens):
    api.replies.append(reply)
    with pytest.raises(errors.ModelUnavailable):
        await model.answer(question(max_tokens=max_tokens))
    assert (await model.answer(question())).text == "a fine answer", "the next call is not touched by it"


@pytest.mark.parametrize("fault", ["hang", "trickle"])
async def test_silence_and_a_trickle_end_at_the_timeout(api, model, fault):
    api.replies.append(Reply(fault=fault))
    with pytest.raises(errors.ModelUnavailable, match=r"0\.2 s"):
        await model.answer(question(timeout_seconds=0.2))


async def test_nobody_there_means_unavailable():
    model = AnthropicModel(Credentials(KEY, None, "http://127.0.0.1:9"), PriceTable.load())
    with pytest.raises(errors.ModelUnavailable, match=r"127\.0\.0\.1 cannot be reached"):
        await model.answer(question())
    await model.close()


async def test_long_answers_are_streamed_and_whole(api, model):
    api.replies.append(Reply(text="word " * 500))
    answer = await model.answer(question(max_tokens=64_000))
    assert api.requests[0]["stream"] is True
    assert answer.text == "word " * 500
    assert (answer.stop_reason, answer.usage.output_tokens) == (StopReason.END_TURN, 20)
    assert answer.request_id == "req_1"


async def test_a_stream_brings_the_same_blocks_as_an_answer_at_once(api, model):
    blocks = (
        {"type": "thinking", "thinking": "hm", "signature": "abc"},
        {"type": "text", "text": "I write it."},
        {"type": "tool_use", "id": "t1", "name": "write_file", "input": {"path": "a", "lines": [1, 2]}},
        {"type": "of_the_future", "holds": {"much": None}},
    )
    api.replies.extend([Reply(content=blocks, stop_reason="tool_use")] * 2)
    at_once = await model.answer(question())
    streamed = await model.answer(question(max_tokens=64_000))
    assert api.requests[1]["stream"] is True
    assert streamed.content == at_once.content
    assert streamed.stop_reason is at_once.stop_reason is StopReason.TOOL_USE


@pytest.mark.parametrize("fault", ["cut", "end"])
@pytest.mark.parametrize(
    "block",
    [
        {"type": "text", "text": "half of an answer"},
        {"type": "tool_use", "id": "t1", "name": "write_file", "input": {"path": "a"}},
    ],
    ids=["text", "tool"],
)
async def test_a_stream_that_breaks_off_is_never_an_answer(api, model, fault, block):
    api.replies.append(Reply(fault=fault, content=(block,)))
    with pytest.raises(errors.ModelUnavailable):
        await model.answer(question(max_tokens=64_000))


@pytest.mark.parametrize(
    ("error_type", "error"),
    [
        ("overloaded_error", errors.ModelOverloaded),
        ("rate_limit_error", errors.ModelRateLimited),
        ("api_error", errors.ModelUnavailable),
        ("of_the_future", errors.ModelUnavailable),
        ("authentication_error", errors.CredentialsInvalid),
        ("invalid_request_error", errors.ModelRequestInvalid),
    ],
)
async def test_an_error_inside_a_stream_means_what_it_would_mean_alone(api, model, error_type, error):
    api.replies.append(Reply(fault="fail", error_type=error_type))
    with pytest.raises(error) as caught:
        await model.answer(question(max_tokens=64_000))
    assert type(caught.value) is error
    assert "req_1" in caught.value.message


async def test_a_cancelled_call_lets_go(api, model):
    api.replies.append(Reply(fault="hang"))
    call = asyncio.create_task(model.answer(question()))
    await eventually(lambda: api.at_once == 1)
    call.cancel()
    await eventually(call.done)
    assert call.cancelled()
    await eventually(lambda: api.at_once == 0)
    assert (await model.answer(question())).text == "a fine answer"


async def test_closing_twice_is_closing_once(model):
    await model.close()
    await model.close()


async def test_five_hundred_calls_are_in_flight_at_once(api, model):
    api.latency_seconds = 0.5
    await asyncio.gather(*(model.answer(question(timeout_seconds=30)) for _ in range(500)))
    assert api.at_once_max >= 450
