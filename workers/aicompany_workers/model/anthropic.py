"""`ports.model.Model` on Claude, through the Anthropic SDK.

The SDK's aiohttp transport is used because it costs half the CPU of the default one; its retries are off because
retrying is decided by core, once, for everything.
"""

import asyncio
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any, cast

import anthropic
import httpx2
from anthropic import AsyncAnthropic, DefaultAioHttpClient, transform_schema
from anthropic.types import Message

from aicompany.allowance import LimitsTold
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
from aicompany_workers.model.rate_limit_headers import limits_told
from aicompany_workers.model.retry_after import retry_after_seconds

_STREAM_ABOVE_TOKENS = 16_000
"""Longer answers are streamed: the SDK refuses to wait for what may take longer than ten minutes in silence."""
_CONNECT_SECONDS = 30.0
"""Longest wait for a connection; an answer may take much longer, an address that swallows packets may not."""
_CONNECTIONS = httpx2.Limits(max_connections=5000, max_keepalive_connections=500)
"""As many as `spec.model.concurrency` may be: the caller decides how many calls are in flight, not the transport.
No limit at all cannot be said: the aiohttp transport takes it for its own default of 100."""
_UNREADABLE = (ValueError, TypeError, KeyError, AttributeError, AssertionError)
"""What the SDK and pydantic raise, in many ways, when a body is not what the API promises."""
_SUCCESS = 200
_OVERLOADED = 529
_RATE_LIMITED = 429
_CREDENTIALS = frozenset({401, 403})
_CALLERS_FAULT = frozenset({400, 402, 404, 413, 422})
_TOO_LONG = ("prompt is too long", "context window", "exceed context limit")
"""The service has no code of its own for this, only its words."""
_STATUS_OF = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "timeout_error": 504,
    "overloaded_error": 529,
}
"""The status that stands for an error which came in the middle of a stream, after the status had been sent as 200.
Source: https://platform.claude.com/docs/en/api/errors"""


class AnthropicModel:
    """Claude. One call a question."""

    is_offline = False

    def __init__(
        self,
        credentials: Credentials,
        prices: PriceTable,
        *,
        limits_heard: Callable[[LimitsTold], None] = lambda _: None,
    ) -> None:
        """`limits_heard` is told what each answer, and each refusal, says of the service's rate limits."""
        self._prices = prices
        self._limits_heard = limits_heard
        # The SDK takes one credential and goes by the key, too, when its environment has both.
        self._secret = credentials.api_key or credentials.auth_token or ""
        self._client = AsyncAnthropic(
            api_key=credentials.api_key,
            auth_token=None if credentials.api_key else credentials.auth_token,
            base_url=credentials.base_url,
            max_retries=0,
            http_client=DefaultAioHttpClient(limits=_CONNECTIONS),
        )

    async def answer(self, request: ModelRequest) -> ModelAnswer:
        """Ask once. Raises as the port says."""
        arguments = _arguments_of(request)
        began = perf_counter()
        try:
            # The SDK's time-out is for each read; this one is for the whole, so that a trickle ends as well.
            async with asyncio.timeout(request.timeout_seconds):
                message, request_id = await self._ask(
                    arguments, began, streamed=request.max_tokens > _STREAM_ABOVE_TOKENS
                )
            return self._answer_of(message, request_id)
        except anthropic.APIStatusError as error:
            self._hear(request.model, error.response.headers, began)
            raise _explained(error, self._secret) from error
        except (TimeoutError, anthropic.APITimeoutError) as error:
            raise ModelUnavailable(f"the model did not answer within {request.timeout_seconds:g} s") from error
        except (anthropic.APIConnectionError, httpx2.TransportError) as error:
            host = self._client.base_url.host
            raise ModelUnavailable(f"the model's service at {host} cannot be reached, or hung up") from error
        except (anthropic.AnthropicError, httpx2.HTTPError, *_UNREADABLE) as error:
            raise ModelUnavailable(f"the model's answer cannot be read ({type(error).__name__})") from error

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _ask(self, arguments: dict[str, Any], began: float, *, streamed: bool) -> tuple[Message, str | None]:
        """The message and the request's id."""
        model = str(arguments["model"])
        if not streamed:
            raw = await self._client.messages.with_raw_response.create(**arguments)
            self._hear(model, raw.headers, began)
            return cast("Message", await raw.parse()), raw.request_id
        async with self._client.messages.stream(**arguments) as stream:
            headers_came = perf_counter()
            message = await stream.get_final_message()
            self._hear(model, stream.response.headers, began, headers_came)
            return message, stream.request_id

    def _hear(self, model: str, headers: Mapping[str, str], began: float, headers_came: float | None = None) -> None:
        now = perf_counter()
        told = limits_told(
            model,
            headers,
            since_asked_seconds=now - began,
            since_headers_seconds=0.0 if headers_came is None else now - headers_came,
        )
        if told is not None:
            self._limits_heard(told)

    def _answer_of(self, message: object, request_id: str | None) -> ModelAnswer:
        if not isinstance(message, Message) or not isinstance(message.content, list):
            raise ModelUnavailable("the model's answer cannot be read: it is no message")
        if message.stop_reason not in set(StopReason):
            end = message.stop_reason or "it was cut off"
            raise ModelUnavailable(f"the model's answer has no known end ({end})")
        model = message.model or "unknown"
        return ModelAnswer(
            content=tuple(_block_of(block.to_dict(warnings=False)) for block in message.content),
            stop_reason=StopReason(message.stop_reason),
            usage=self._prices.priced(model, _usage_of(message)),
            model=model,
            request_id=request_id,
        )


def _arguments_of(request: ModelRequest) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "model": request.model,
        "max_tokens": request.max_tokens,
        "messages": [_message_param(message) for message in request.messages],
        "timeout": httpx2.Timeout(request.timeout_seconds, connect=min(_CONNECT_SECONDS, request.timeout_seconds)),
    }
    if request.system:
        arguments["system"] = request.system
    if request.tools:
        arguments["tools"] = [tool.model_dump() for tool in request.tools]
    if request.output_schema is not None:
        arguments["output_config"] = {"format": {"type": "json_schema", "schema": _schema_of(request.output_schema)}}
    return arguments


def _schema_of(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema within what structured output takes: the SDK moves every other wish into the descriptions."""
    try:
        return transform_schema(schema)
    except _UNREADABLE as error:
        raise ModelRequestInvalid(f"the answer's schema cannot be asked for: {error}") from error


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


def _explained(error: anthropic.APIStatusError, secret: str) -> AICompanyError:
    """The API's error as one of ours: status, the service's own sentence and the request's id."""
    status = error.status_code if error.status_code != _SUCCESS else _STATUS_OF.get(str(error.type), 500)
    said = _sentence_of(error, secret)
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


def _sentence_of(error: anthropic.APIStatusError, secret: str) -> str:
    """What the service said, on one line, without the secret that a proxy may have put into it."""
    said = " ".join(str(error.api_message or "no explanation").split())
    return (said.replace(secret, "…") if secret else said)[:300]
