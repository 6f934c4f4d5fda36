"""`ports.model.Model` on Claude, through the Anthropic SDK.

The SDK's aiohttp transport is used because it costs half the CPU of the default one; its retries are off because
retrying is decided by core, once, for everything.
"""

from collections.abc import Mapping
from typing import Any, cast

import anthropic
import httpx2
from anthropic import AsyncAnthropic, DefaultAioHttpClient
from anthropic.types import Message

from aicompany.errors import (
    AICompanyError,
    ContextExceeded,
    CredentialsInvalid,
    ModelOverloaded,
    ModelRateLimited,
    ModelRequestInvalid,
    ModelUnavailable,
)
from aicompany.ports.model import (
    Block,
    ModelAnswer,
    ModelMessage,
    ModelRequest,
    OpaqueBlock,
    StopReason,
    TextBlock,
    ToolResultBlock,
    ToolUseBlock,
)
from aicompany.usage import Usage
from aicompany_workers.model.credentials import Credentials
from aicompany_workers.model.prices import PriceTable
from aicompany_workers.model.retry_after import retry_after_seconds

_STREAM_ABOVE_TOKENS = 16_000
"""Longer answers are streamed: the SDK refuses to wait for what may take longer than ten minutes in silence."""
_OVERLOADED = 529
_RATE_LIMITED = 429
_CREDENTIALS = frozenset({401, 403})
_CALLERS_FAULT = frozenset({400, 402, 404, 413, 422})
_TOO_LONG = ("prompt is too long", "context window", "exceed context limit")


class AnthropicModel:
    """Claude. One call a question."""

    is_offline = False

    def __init__(self, credentials: Credentials, prices: PriceTable) -> None:
        self._prices = prices
        self._client = AsyncAnthropic(
            api_key=credentials.api_key,
            auth_token=credentials.auth_token,
            base_url=credentials.base_url,
            max_retries=0,
            http_client=DefaultAioHttpClient(),
        )

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        """Ask once. Raises as the port says."""
        try:
            message = await self._ask(request)
        except anthropic.APIStatusError as error:
            raise _explained(error) from error
        except anthropic.APITimeoutError as error:
            raise ModelUnavailable(f"the model did not answer within {request.timeout_seconds:g} s") from error
        except (anthropic.APIConnectionError, httpx2.TransportError) as error:
            raise ModelUnavailable("the model's service cannot be reached, or hung up") from error
        except (anthropic.AnthropicError, ValueError, TypeError, KeyError, AttributeError) as error:
            # What the SDK raises, in many ways, when a body is not what the API promises.
            raise ModelUnavailable(f"the model's answer cannot be read ({type(error).__name__})") from error
        return self._answer_of(message)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _ask(self, request: ModelRequest) -> Message:
        arguments = _arguments_of(request)
        if request.max_tokens <= _STREAM_ABOVE_TOKENS:
            return cast("Message", await self._client.messages.create(**arguments))
        async with self._client.messages.stream(**arguments) as stream:
            return await stream.get_final_message()

    def _answer_of(self, message: object) -> ModelAnswer:
        if not isinstance(message, Message) or not isinstance(message.content, list):
            raise ModelUnavailable("the model's answer cannot be read: it is no message")
        try:
            stop_reason = StopReason(message.stop_reason or "")
        except ValueError as error:
            raise ModelUnavailable(
                f"the model's answer has no known end ({message.stop_reason or 'it was cut off'})"
            ) from error
        model = message.model or "unknown"
        return ModelAnswer(
            content=tuple(_block_of(block.to_dict()) for block in message.content),
            stop_reason=stop_reason,
            usage=self._prices.priced(model, _usage_of(message)),
            model=model,
            request_id=getattr(message, "_request_id", None),
        )


def _arguments_of(request: ModelRequest) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "model": request.model,
        "max_tokens": request.max_tokens,
        "messages": [_message_param(message) for message in request.messages],
        "timeout": request.timeout_seconds,
    }
    if request.system:
        arguments["system"] = request.system
    if request.tools:
        arguments["tools"] = [tool.model_dump() for tool in request.tools]
    if request.output_schema is not None:
        arguments["output_config"] = {"format": {"type": "json_schema", "schema": request.output_schema}}
    return arguments


def _message_param(message: ModelMessage) -> dict[str, Any]:
    return {"role": message.role, "content": [_block_param(block) for block in message.content]}


def _block_param(block: Block) -> dict[str, Any]:
    match block:
        case OpaqueBlock(data=data):
            return data
        case ToolResultBlock(is_error=False):
            return block.model_dump(exclude={"is_error"})
        case _:
            return block.model_dump()


def _block_of(data: Mapping[str, Any]) -> Block:
    match data.get("type"):
        case "text" if not data.get("citations"):
            return TextBlock(text=data["text"])
        case "tool_use":
            return ToolUseBlock(id=data["id"], name=data["name"], input=dict(data["input"]))
        case _:
            return OpaqueBlock(data=dict(data))


def _usage_of(message: Message) -> Usage:
    usage = message.usage
    return Usage(
        calls=1,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cache_read_input_tokens or 0,
        cache_write_tokens=usage.cache_creation_input_tokens or 0,
    )


def _explained(error: anthropic.APIStatusError) -> AICompanyError:
    """The API's error as one of ours: status, the service's own sentence and the request's id."""
    status = error.status_code
    said = _sentence_of(error)
    where = f"{status}{f', request {error.request_id}' if error.request_id else ''}"
    wait_seconds = retry_after_seconds(error.response.headers)
    if status in _CREDENTIALS:
        return CredentialsInvalid(
            f"the model's service does not accept the key ({where}); check ANTHROPIC_API_KEY or spec.model.apiKeyFile"
        )
    if status == _RATE_LIMITED:
        return ModelRateLimited(f"the model's service asks to slow down ({where})", retry_after_seconds=wait_seconds)
    if status == _OVERLOADED:
        return ModelOverloaded(f"the model's service is overloaded ({where})", retry_after_seconds=wait_seconds)
    if status in _CALLERS_FAULT:
        if any(words in said.lower() for words in _TOO_LONG):
            return ContextExceeded(f"the order and its files do not fit into the model ({where}: {said}); attach less")
        return ModelRequestInvalid(f"the model's service rejected the request ({where}: {said})")
    return ModelUnavailable(f"the model's service failed ({where})", retry_after_seconds=wait_seconds)


def _sentence_of(error: anthropic.APIStatusError) -> str:
    body = error.body
    if isinstance(body, dict) and isinstance(body.get("error"), dict):
        return str(body["error"].get("message", ""))[:300]
    return "no explanation"
