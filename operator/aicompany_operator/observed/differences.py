"""Where a live object differs from what was asked for."""

from collections.abc import Iterator, Mapping
from typing import Any

_WHOLE = frozenset({"data", "matchLabels", "podSelector", "selector"})
"""Maps to which nobody may add: one entry more in a selector and a wall, or a door, is somewhere else."""


def differences(wanted: object, live: object, place: str = "") -> Iterator[str]:
    """The places in which `live` is not what `wanted` says; what `wanted` does not say is not looked at.

    Lists are compared whole, entry by entry: an entry more, less or elsewhere is a difference. Inside the entries again
    only what is wanted counts, because the API server adds defaults there as well. Selectors and data are compared
    whole, too.
    """
    match wanted, live:
        case Mapping(), Mapping():
            for key, value in wanted.items():
                yield from differences(value, live.get(key), _below(place, key))
            yield from (_below(place, key) for key in _added(wanted, live, place))
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


def correction(wanted: object, live: object, place: str = "") -> object:
    """The merge patch (RFC 7386) that makes `live` what `wanted` says, where applying it was not enough.

    Server-side apply leaves what others added to a list or a map. A merge patch puts lists in the place of lists.
    """
    match wanted, live:
        case Mapping(), Mapping():
            patch = {key: correction(value, live.get(key), _below(place, key)) for key, value in wanted.items()}
            return patch | dict.fromkeys(_added(wanted, live, place))
        case _:
            return wanted


def _below(place: str, key: str) -> str:
    return f"{place}.{key}".lstrip(".")


def _added(wanted: Mapping[str, Any], live: Mapping[str, Any], place: str) -> list[str]:
    return [key for key in live if key not in wanted] if place.rpartition(".")[2] in _WHOLE else []


def _is_same(wanted: Any, live: Any) -> bool:  # noqa: ANN401 - any JSON value
    # The API server leaves out what is empty. A `false` is not: left out it is the default, which may be the opposite.
    return bool(wanted == live or (live is None and wanted in ({}, [], "", ())))
