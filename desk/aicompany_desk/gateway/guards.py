"""What stands before every request: the token and the size limit, as plain ASGI."""

import secrets
from contextlib import suppress

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from aicompany_desk.gateway.problems import problem

_OPEN_PATHS = frozenset({"/health", "/ready"})
_OWN_HEADER = b"x-aicompany-token"
_BEARER = b"Bearer "
_NOT_THE_TOKEN = (
    "the token shown is not the one this company asks for; set AICOMPANY_TOKEN to that one, "  # noqa: S105 - a sentence
    "or try again in a few seconds if it was renewed just now"
)


def _bearer(shown: bytes) -> bytes:
    return shown.removeprefix(_BEARER) if shown.startswith(_BEARER) else b""


class TokenGuard:
    """Lets a request through that shows the bearer token; health is open to all.

    `Authorization` does not arrive through the proxy of a Kubernetes API server, which takes it for itself; so the
    token may be shown in `X-AICompany-Token` as well.
    """

    def __init__(self, app: ASGIApp, token: str | None) -> None:
        self._app = app
        self._expected = token.encode() if token else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "http" and self._expected and scope["path"] not in _OPEN_PATHS:
            headers = dict(scope["headers"])
            shown = headers.get(_OWN_HEADER) or _bearer(headers.get(b"authorization", b""))
            if not secrets.compare_digest(shown, self._expected):
                refusal = problem(
                    401,
                    "token_missing",
                    _NOT_THE_TOKEN if shown else "this company asks for a token; set AICOMPANY_TOKEN",
                    headers={"WWW-Authenticate": "Bearer"},
                )
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)


class _TooLarge(Exception):
    """Raised inside the app when it reads on beyond the limit."""


class _Count:
    """Counts what comes; once it is too much, nothing the app still says goes out."""

    def __init__(self, bytes_max: int, receive: Receive, send: Send) -> None:
        self._left = bytes_max
        self._receive = receive
        self._send = send

    @property
    def is_over(self) -> bool:
        """Whether more came than may."""
        return self._left < 0

    async def receive(self) -> Message:
        """ASGI."""
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        if self.is_over:
            raise _TooLarge
        return message

    async def send(self, message: Message) -> None:
        """ASGI."""
        if not self.is_over:
            await self._send(message)


class SizeGuard:
    """Refuses bodies over the limit, by what they say of themselves and by what comes."""

    def __init__(self, app: ASGIApp, bytes_max: int) -> None:
        self._app = app
        self._bytes_max = bytes_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > self._bytes_max:
            await self._refuse(scope, receive, send)
            return
        count = _Count(self._bytes_max, receive, send)
        with suppress(_TooLarge):
            await self._app(scope, count.receive, count.send)
        if count.is_over:
            await self._refuse(scope, receive, send)

    async def _refuse(self, scope: Scope, receive: Receive, send: Send) -> None:
        detail = f"the request is over {self._bytes_max:,} bytes; hand in less, or raise spec.gateway.requestBytesMax"
        await problem(413, "request_too_large", detail)(scope, receive, send)
