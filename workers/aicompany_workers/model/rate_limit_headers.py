"""Rate-limit headers of the Messages API as a value.

Source: https://platform.claude.com/docs/en/api/rate-limits#response-headers
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from aicompany.allowance import LimitsTold, Measure, WindowTold

_NAMES = {
    Measure.REQUESTS: "anthropic-ratelimit-requests",
    Measure.INPUT_TOKENS: "anthropic-ratelimit-input-tokens",
    Measure.OUTPUT_TOKENS: "anthropic-ratelimit-output-tokens",
}


def limits_told(
    model: str, headers: Mapping[str, str], *, since_asked_seconds: float, since_headers_seconds: float = 0.0
) -> LimitsTold | None:
    """What the headers say of the limits; `None` when they say nothing readable.

    Times until a limit is untouched again are reckoned by the service's own clock, its `date` header, so that a clock
    of ours that is wrong does no harm.
    """
    windows = {
        measure.value: window
        for measure, name in _NAMES.items()
        if (window := _window(headers, name, since_headers_seconds)) is not None
    }
    return LimitsTold(model, age_seconds=since_asked_seconds, **windows) if windows else None


def _window(headers: Mapping[str, str], name: str, since_headers_seconds: float) -> WindowTold | None:
    limit, remaining = _number(headers.get(f"{name}-limit")), _number(headers.get(f"{name}-remaining"))
    if limit is None or limit <= 0 or remaining is None:
        return None
    full_at = _moment(headers.get(f"{name}-reset"))
    if full_at is None:
        return WindowTold(limit, remaining)
    full_in_seconds = (full_at - _date(headers)).total_seconds() - since_headers_seconds
    return WindowTold(limit, remaining, max(0.0, full_in_seconds))


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if 0 <= value < float("inf") else None


def _moment(text: str | None) -> datetime | None:
    """RFC 3339."""
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _date(headers: Mapping[str, str]) -> datetime:
    try:
        moment = parsedate_to_datetime(headers.get("date", ""))
    except (ValueError, OverflowError):
        return datetime.now(UTC)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
