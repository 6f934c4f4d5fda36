"""What kopf is told of objects: without what nobody here looks at.

At its start kopf holds every object at once, as it came. More than half of it is the bookkeeping of fields' owners; and
the values of Secrets that are not a company's have no business in this process.
"""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from functools import wraps
from typing import Any

from kopf._cogs.clients import fetching, watching

from aicompany_operator.names import LABEL_COMPANY

_Lister = Callable[..., Any]
_MARK = "__slim__"


def slimmed(body: dict[str, Any]) -> dict[str, Any]:
    """The object as the API server tells it, changed in place."""
    metadata = body.get("metadata", {})
    metadata.pop("managedFields", None)
    if body.get("kind") == "Secret" and LABEL_COMPANY not in metadata.get("labels", {}):
        body.pop("data", None)
    return body


def make_kopf_slim() -> None:
    """Have kopf's lists and watches give objects so. kopf offers no place for it; idempotent."""
    if not hasattr(fetching.fetch_objs, _MARK):
        fetching.fetch_objs = _slim_list(fetching.fetch_objs)
        watching.watch_objs = _slim_watch(watching.watch_objs)


def _slim_list(original: _Lister) -> _Lister:
    @wraps(original)
    async def fetch_objs(**kwargs: object) -> AsyncGenerator[Any, None]:
        async with aclosing(original(**kwargs)) as chunks:
            async for items, version in chunks:
                yield [slimmed(item) for item in items], version

    setattr(fetch_objs, _MARK, True)
    return fetch_objs


def _slim_watch(original: _Lister) -> _Lister:
    @wraps(original)
    async def watch_objs(**kwargs: object) -> AsyncGenerator[Any, None]:
        async with aclosing(original(**kwargs)) as events:
            async for event in events:
                slimmed(event.get("object", {}))
                yield event

    return watch_objs
