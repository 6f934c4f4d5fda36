"""The Claude adapter keeps the model's contract, against a server that speaks the API."""

from typing import Any

import pytest
from tests.contract.model import ModelContract
from tests.messages_api.server import MessagesApi, Reply

from aicompany_workers.model.anthropic import AnthropicModel
from aicompany_workers.model.credentials import Credentials
from aicompany_workers.model.prices import PriceTable


def well(body: dict[str, Any]) -> Reply:
    """A model that is well: it takes the tool that is there, once, and says back what it was asked."""
    last = body["messages"][-1]["content"][-1]
    if body.get("tools") and last["type"] != "tool_result":
        use = {"type": "tool_use", "id": "t1", "name": "write_file", "input": {"path": "hello.txt", "content": "hello"}}
        thinking = {"type": "thinking", "thinking": "a file, then", "signature": "abc"}
        return Reply(content=(thinking, use), stop_reason="tool_use")
    return Reply(text=f"you said: {last.get('text') or last.get('content')}")


@pytest.fixture
async def api():
    api = MessagesApi()
    api.script = well
    async with api.serving():
        yield api


@pytest.fixture
async def model(api):
    model = AnthropicModel(Credentials("sk-test", None, api.url), PriceTable.load())
    yield model
    await model.close()


@pytest.fixture
async def slow_model(api, model):
    api.latency_seconds = 0.1
    return model


class TestAnthropicModel(ModelContract):
    def test_it_is_no_offline_model(self, model):
        assert model.is_offline is False
