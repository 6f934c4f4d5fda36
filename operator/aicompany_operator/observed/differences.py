"""Where a live object differs from what was asked for."""

from collections.abc import Iterator, Mapping
from typing import Any


def differences(wanted: object, live: object, place: str = "") -> Iterator[str]:
    """The places in which `live` is not what `wanted` says; what `wanted` does not say is not looked at.

    Lists are compared whole, entry by entry: an entry more, less or elsewhere is a difference. Inside the entries again
    only what is wanted counts, because the API server adds defaults there as well.
    """
    match wanted, live:
        case Mapping(), Mapping():
            for key, value in wanted.items():
                yield from differences(value, live.get(key), f"{place}.{key}".lstrip("."))
        case list() | tuple(), list() | tuple():
            if len(wanted) != len(live):
                yield place
                return
            for index, (one, other) in enumerate(zip(wanted, live, strict=True)):
                yield from differences(one, other, f"{place}[{index}]")
        case _ if _is_same(wanted, live):
            return
        case _:
            yield place


def _is_same(wanted: Any, live: Any) -> bool:  # noqa: ANN401 - any JSON value
    # The API server leaves out what is empty. A `false` is not: left out it is the default, which may be the opposite.
    return bool(wanted == live or (live is None and wanted in ({}, [], "", ())))
