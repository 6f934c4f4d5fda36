"""Asking servers that are not the operator's: does one listen, and does the model's service take a key."""

import asyncio
from urllib.parse import urlsplit

import aiohttp

from aicompany_operator.observed.seen import KeyState
from aicompany_operator.servers.errors import ServerUnreachable

_TIMEOUT_SECONDS = 5.0
_PORTS = {"amqp": 5672, "amqps": 5671, "postgres": 5432, "postgresql": 5432, "redis": 6379, "rediss": 6379}
_MODEL_SERVICE = "https://api.anthropic.com"
_VERSION = "2023-06-01"


async def reach(url: str) -> None:
    """Return when somebody listens at the address. Raises `ServerUnreachable` with its host and port."""
    place = _place_of(url)
    if place is None:
        raise ServerUnreachable(
            "the address cannot be read; write scheme://user:password@host:port/name into the Secret, with signs like "
            "/ and @ in the password as %2F and %40"
        )
    host, port = place
    try:
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            _, writer = await asyncio.open_connection(host, port)
    # ValueError: a name that no DNS can hold.
    except (TimeoutError, OSError, ValueError) as error:
        raise ServerUnreachable(f"nobody listens at {host}:{port} ({type(error).__name__})") from error
    writer.close()


def _place_of(url: str) -> tuple[str, int] | None:
    """Host and port; `None` when they cannot be told apart from the login, which must never be shown."""
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname, parts.port or _PORTS[parts.scheme]
    except (ValueError, KeyError):
        return None
    is_cut = "@" in url and "@" not in parts.netloc
    return None if host is None or is_cut else (host, port)


async def check_key(base_url: str | None, key: str) -> KeyState:
    """Show the key to the Messages API's list of models, which costs nothing.

    Source: https://docs.anthropic.com/en/api/models-list. Anything but a clear answer is `UNCHECKED`.
    """
    url = f"{(base_url or _MODEL_SERVICE).rstrip('/')}/v1/models?limit=1"
    headers = {"x-api-key": key, "anthropic-version": _VERSION}
    timeout = aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            # The key goes to the service, and nowhere it points to.
            session.get(url, headers=headers, allow_redirects=False) as response,
        ):
            if response.status in {401, 403}:
                return KeyState.REJECTED
            return KeyState.ACCEPTED if response.status == 200 else KeyState.UNCHECKED
    except (TimeoutError, aiohttp.ClientError, OSError, ValueError):
        return KeyState.UNCHECKED
