"""The API's rate limits as it enforces them: token buckets that hold a minute's allowance, headers, 429.

Source: https://platform.claude.com/docs/en/api/rate-limits
"""

import json
import math
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from aicompany.resilience.token_bucket import TokenBucket

_NAMES = {"requests": "requests", "input_tokens": "input-tokens", "output_tokens": "output-tokens"}
CHARACTERS_PER_TOKEN = 3.6
"""As the service reads; callers guess otherwise."""


@dataclass
class Counted:
    """What one limit has seen."""

    bucket: TokenBucket
    used: float = 0.0

    def take(self, amount: float, now: float) -> None:
        self.bucket = self.bucket.reserve(amount, now)
        self.used += amount


@dataclass
class EnforcedLimits:
    """Limits a minute; those that are `None` are not enforced and not told."""

    requests: float | None = None
    input_tokens: float | None = None
    output_tokens: float | None = None
    accepted: int = 0
    refused: int = 0
    _counted: dict[str, Counted] = field(default_factory=dict)
    _began: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        for name in _NAMES:
            limit = getattr(self, name)
            if limit is not None:
                bucket = TokenBucket.full(capacity=limit, rate=limit / 60, now_seconds=self._began)
                self._counted[name] = Counted(bucket)

    def admit(self, input_tokens: float) -> float:
        """0 when a call of so many input tokens may pass, and then it is counted; else the seconds it should wait.

        Output is counted as it is written: a call passes while anything of it is left.
        """
        now = time.monotonic()
        if not self.accepted:
            self._began = now
        wanted = {"requests": 1.0, "input_tokens": input_tokens, "output_tokens": 1.0}
        wait = max((c.bucket.wait_seconds(wanted[name], now) for name, c in self._counted.items()), default=0.0)
        if wait > 0:
            self.refused += 1
            return wait
        self.accepted += 1
        for name in ("requests", "input_tokens"):
            if name in self._counted:
                self._counted[name].take(wanted[name], now)
        return 0.0

    def write(self, output_tokens: float) -> None:
        """Count what was answered."""
        if "output_tokens" in self._counted:
            self._counted["output_tokens"].take(output_tokens, time.monotonic())

    def headers(self) -> dict[str, str]:
        """As they stand; tokens are rounded to thousands."""
        now = time.monotonic()
        told = {}
        for name, counted in self._counted.items():
            bucket = counted.bucket.at(now)
            left = max(0.0, bucket.level)
            remaining = math.floor(left) if name == "requests" else round(left / 1000) * 1000
            full_at = datetime.now(UTC) + timedelta(seconds=(bucket.capacity - bucket.level) / bucket.rate)
            prefix = f"anthropic-ratelimit-{_NAMES[name]}"
            told[f"{prefix}-limit"] = f"{bucket.capacity:.0f}"
            told[f"{prefix}-remaining"] = str(remaining)
            told[f"{prefix}-reset"] = full_at.strftime("%Y-%m-%dT%H:%M:%SZ")
        return told

    def report(self) -> dict[str, Any]:
        """Calls, and of each limit what was used and what was allowed since the first: a full bucket, and the flow."""
        seconds = time.monotonic() - self._began
        return {
            "seconds": seconds,
            "accepted": self.accepted,
            "refused": self.refused,
            "used": {name: counted.used for name, counted in self._counted.items()},
            "allowed": {name: c.bucket.capacity + c.bucket.rate * seconds for name, c in self._counted.items()},
        }


def input_tokens_of(body: dict[str, Any]) -> int:
    """Tokens of a request as the service counts them."""
    asked = {name: body[name] for name in ("system", "messages", "tools") if name in body}
    return math.ceil(_characters(asked) / CHARACTERS_PER_TOKEN)


def _characters(part: Any) -> int:
    match part:
        case str():
            return len(part)
        case list():
            return sum(_characters(one) for one in part)
        case {"type": "text", "text": text}:
            return len(text)
        case dict():
            return sum(_characters(one) for name, one in part.items() if name not in {"type", "role"})
        case _:
            return len(json.dumps(part))
