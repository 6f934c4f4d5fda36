"""What the server's script is asked and what it answers, as values."""

import json
from dataclasses import replace
from importlib.resources import files
from typing import Any

from aicompany.allowance import Amounts, LimitsTold, Measure, NoTurn, Turn
from aicompany.resilience.rate_limits import (
    MARGIN,
    OUTPUT_MEAN_WEIGHT,
    PAUSE_SECONDS,
    PERIOD_SECONDS,
    START_CALLS,
    START_CALLS_PER_SECOND,
    RateLimits,
    bucket_of,
    level_at_most,
)
from aicompany.resilience.token_bucket import TokenBucket

LUA = files("aicompany_workers.limits").joinpath("rate_limits.lua").read_text(encoding="utf-8")

_KEPT_SECONDS = 86_400
"""After the last use the limits are full again anyway; what was learnt is worth a day."""
CALLER_SECONDS = 120.0
"""Who has not asked for so long does not count as a caller."""
_NUMBERS: dict[str, Any] = {
    "period": PERIOD_SECONDS,
    "margin": MARGIN,
    "start_calls": START_CALLS,
    "start_rate": START_CALLS_PER_SECOND,
    "mean_weight": OUTPUT_MEAN_WEIGHT,
    "kept_ms": _KEPT_SECONDS * 1000,
    "caller_seconds": CALLER_SECONDS,
}


def question(known: RateLimits, now_seconds: float, **act: object) -> str:
    """What to ask: the act, and the limits to begin with when the server has none."""
    buckets = known.buckets
    seed = {
        "paused_seconds": max(0.0, known.paused_until - now_seconds),
        "mean": known.output_mean,
        "told": {measure: buckets[measure].rate * PERIOD_SECONDS for measure in buckets if measure not in known.wished},
        "levels": {measure: buckets[measure].at(now_seconds).level for measure in buckets},
    }
    if known.start is not None:
        seed["start"] = known.start.at(now_seconds).level
    return json.dumps({**_NUMBERS, "wished": dict(known.wished), "seed": seed, **act})


def settlement(
    turn: Turn, used: Amounts, told: LimitsTold | None, *, slow_down: bool, retry_after_seconds: float | None
) -> dict[str, object]:
    """The act of settling."""
    windows = {measure: told.of(measure) for measure in Measure} if told else {}
    act: dict[str, object] = {
        "act": "settle",
        "reserved": _by_measure(turn.reserved),
        "counted": sorted(turn.counted),
        "used": _by_measure(used),
        "told": {
            measure: {"limit": window.limit, "level": level_at_most(window, told.age_seconds)}
            for measure, window in windows.items()
            if told is not None and window is not None and window.limit > 0
        },
    }
    if slow_down:
        act["pause_seconds"] = PAUSE_SECONDS if retry_after_seconds is None else retry_after_seconds
    return act


def turn_of(answer: dict[str, Any], model: str) -> Turn | NoTurn:
    """The turn in an answer to a reservation."""
    if not answer["granted"]:
        return NoTurn(answer["wait"])
    counted = frozenset(Measure(measure) for measure in answer["counted"])
    return Turn(model, Amounts(**answer["reserved"]), counted, max(0.0, answer["wait"]))


def limits_of(answer: dict[str, Any], wished: RateLimits, now_seconds: float) -> RateLimits:
    """The limits in an answer, on this process's own clock."""
    buckets = {
        Measure(name): replace(bucket_of(limit, now_seconds), level=answer["levels"][name])
        for name, limit in answer["limits"].items()
    }
    start = answer.get("start")
    return RateLimits(
        wished=wished.wished,
        buckets=buckets,
        start=None if start is None else TokenBucket(START_CALLS, START_CALLS_PER_SECOND, start, now_seconds),
        paused_until=now_seconds + answer["paused_seconds"],
        output_mean=answer["mean"],
    )


def _by_measure(amounts: Amounts) -> dict[str, float]:
    return {measure.value: amounts.of(measure) for measure in Measure}
