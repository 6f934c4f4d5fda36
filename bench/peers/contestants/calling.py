"""The model call of a task, through the Anthropic SDK."""

import anthropic
from measuring import MODEL_URL, PROMPT

_CALL = {"model": "claude-sonnet-5-5", "max_tokens": 100, "messages": [{"role": "user", "content": PROMPT}]}


def plain_client() -> anthropic.Anthropic:
    return anthropic.Anthropic(api_key="sk-race", base_url=MODEL_URL, max_retries=0)


def async_client(*, aiohttp: bool) -> anthropic.AsyncAnthropic:
    extra = {"http_client": anthropic.DefaultAioHttpClient()} if aiohttp else {}
    return anthropic.AsyncAnthropic(api_key="sk-race", base_url=MODEL_URL, max_retries=0, **extra)


def call(client: anthropic.Anthropic) -> None:
    client.messages.create(**_CALL)


async def call_async(client: anthropic.AsyncAnthropic) -> None:
    await client.messages.create(**_CALL)
