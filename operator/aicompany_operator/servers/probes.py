"""Asking servers that are not the operator's: does one listen, and does the model's service take a key."""

import asyncio
import re
from urllib.parse import urlsplit

import aiohttp

from aicompany_operator.observed.seen import KeyState
from aicompany_operator.servers.errors import ServerUnreachable

_TIMEOUT_SECONDS = 5.0
_PORTS = {"amqp": 5672, "amqps": 5671, "postgres": 5432, "postgresql": 5432, "redis": 6379, "rediss": 6379}
_WITH_LISTS = frozenset({"postgres", "postgresql"})
_MODEL_SERVICE = "https://api.anthropic.com"
_VERSION = "2023-06-01"


async def reach(url: str) -> None:
    """Return when somebody listens at the address, of several hosts at any of them.

    Raises `ServerUnreachable` with all hosts and ports.
    """
    places = _places_of(url)
    if not places:
        raise ServerUnreachable(
            "the address cannot be read; write scheme://user:password@host:port/name into the Secret, with signs like "
            "/ and @ in the password as %2F and %40"
        )
    # All at once: one that is away must not use up the time of the others.
    failures = await asyncio.gather(*(_failure_at(host, port) for host, port in places))
    told = [
        f"{host}:{port} ({type(failure).__name__})"
        for (host, port), failure in zip(places, failures, strict=True)
        if failure is not None
    ]
    if len(told) == len(places):
        raise ServerUnreachable(f"nobody listens at {', '.join(told)}") from failures[0]


async def _failure_at(host: str, port: int) -> Exception | None:
    """Why nobody can be reached there; `None` when somebody listens."""
    try:
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            _, writer = await asyncio.open_connection(host, port)
    # ValueError: a name that no DNS can hold.
    except (TimeoutError, OSError, ValueError) as error:
        return error
    writer.close()
    return None


def _places_of(url: str) -> list[tuple[str, int]]:
    """Hosts and ports; none when they cannot be told apart from the login, which must never be shown."""
    scheme, _, rest = url.strip().partition("://")
    scheme = scheme.lower()
    login_and_hosts = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if "@" in url and "@" not in login_and_hosts:
        return []
    hosts = login_and_hosts.rpartition("@")[2]
    listed = hosts.split(",")
    # Only PostgreSQL's clients read a list.
    if len(listed) > 1 and scheme not in _WITH_LISTS:
        return []
    try:
        return [_place_of(host, scheme) for host in listed]
    except (ValueError, KeyError):
        return []


def _place_of(text: str, scheme: str) -> tuple[str, int]:
    """Raises `ValueError` for what is no `host` or `host:port`, `KeyError` for an unknown scheme."""
    parts = urlsplit(f"//{text}")
    if parts.hostname is None:
        raise ValueError("no host")
    return parts.hostname, parts.port or _PORTS[scheme]


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
