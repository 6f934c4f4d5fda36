"""Five worker processes ask an API that enforces its limits, sharing what they know of them over Redis.

Everything is on loopback and ends by itself. Nobody tells the workers the limits: they learn them from the headers.
"""

import asyncio
import json
import multiprocessing
import random
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

from tests.servers.redis import redis_server

from aicompany.errors import PassingError
from aicompany.ports.model import ModelMessage, ModelRequest, TextBlock
from aicompany.resilience.breaker import Breaker
from aicompany.spec.servers import LimitsSpec
from aicompany_workers.clock import SystemClock
from aicompany_workers.limits.redis import RedisRateLimits
from aicompany_workers.model.anthropic import AnthropicModel
from aicompany_workers.model.credentials import Credentials
from aicompany_workers.model.limited import LimitedModel
from aicompany_workers.model.limits_heard import LimitsHeard
from aicompany_workers.model.prices import PriceTable
from aicompany_workers.redis_server import RedisServer
from bench.figures import figure, heading

WORKERS = 5
CALLERS = 20
"""In each worker, each asking again as soon as it has its answer."""
LATENCY_SECONDS = 0.3
OUTPUT_TOKENS = 200
SECONDS = 16.0
MODEL = "claude-sonnet-5-5"


@dataclass(frozen=True)
class Round:
    """One limit that binds, and two that are wide."""

    what: str
    requests: int = 100_000
    input_tokens: int = 100_000_000
    output_tokens: int = 100_000_000

    @property
    def binding(self) -> str:
        return self.what.replace(" ", "_")


ROUNDS = (
    Round("requests", requests=1500),
    Round("input tokens", input_tokens=600_000),
    Round("output tokens", output_tokens=300_000),
)


@contextmanager
def enforcing(limits: Round) -> Iterator[str]:
    """The address of an API that enforces the limits."""
    command = [
        sys.executable, "-m", "tests.messages_api", "--latency", str(LATENCY_SECONDS),
        "--output-tokens", str(OUTPUT_TOKENS), "--requests-per-minute", str(limits.requests),
        "--input-tokens-per-minute", str(limits.input_tokens),
        "--output-tokens-per-minute", str(limits.output_tokens),
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield str(json.loads(server.stdout.readline())["url"])
        finally:
            server.terminate()


def question(drawn: random.Random) -> ModelRequest:
    """A prompt of 300 to 6,000 characters."""
    words = TextBlock(text="word " * drawn.randint(60, 1200))
    message = ModelMessage(role="user", content=(words,))
    return ModelRequest(model=MODEL, messages=(message,), max_tokens=4000, timeout_seconds=30)


async def ask_until(model: LimitedModel, until: float, seed: int) -> None:
    drawn = random.Random(seed)
    while time.monotonic() < until:
        try:
            async with asyncio.timeout_at(asyncio.get_running_loop().time() + until - time.monotonic()):
                await model.answer(question(drawn))
        except PassingError:
            await asyncio.sleep(0.05)
        except TimeoutError:
            return


async def one_round(number: int, url: str, redis_url: str, round_number: int) -> None:
    clock = SystemClock()
    heard = LimitsHeard()
    server = RedisServer(redis_url, timeout_seconds=0.25, breaker=Breaker(), clock=clock)
    limits = RedisRateLimits(server, LimitsSpec(), clock, prefix=f"bench:{round_number}:", caller=f"worker-{number}")
    inner = AnthropicModel(Credentials("sk-bench", None, url), PriceTable.load(), limits_heard=heard.hear)
    model = LimitedModel(inner, limits, heard, clock)
    until = time.monotonic() + SECONDS
    async with asyncio.TaskGroup() as group:
        for caller in range(CALLERS):
            group.create_task(ask_until(model, until, number * CALLERS + caller))
    await model.close()
    await limits.close()


def work(number: int, urls: list[str], redis_url: str, together: Barrier) -> None:
    for round_number, url in enumerate(urls):
        together.wait(60)
        asyncio.run(one_round(number, url, redis_url, round_number))
        together.wait(60)


def report_of(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"{url}/limits", timeout=5) as answer:  # a loopback address
        return dict(json.load(answer))


def show(limits: Round, report: dict[str, Any]) -> None:
    calls = report["accepted"] + report["refused"]
    used = report["used"][limits.binding] / report["allowed"][limits.binding]
    figure(f"{limits.what} bind: calls in {report['seconds']:.0f} s", "-", f"{calls}")
    figure(f"{limits.what} bind: calls answered with 429", "< 0.5 %", f"{report['refused'] / calls:.2%}")
    figure(f"{limits.what} bind: part of the allowance used", "≥ 95 %", f"{used:.1%}")


def main() -> None:
    heading(f"{WORKERS} workers under an API that enforces its limits, {CALLERS} callers each")
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as directory:
        redis = redis_server(Path(directory))
        redis.start()
        try:
            with enforcing(ROUNDS[0]) as first, enforcing(ROUNDS[1]) as second, enforcing(ROUNDS[2]) as third:
                urls = [first, second, third]
                together = context.Barrier(WORKERS + 1)
                processes = [
                    context.Process(target=work, args=(number, urls, redis.url, together), daemon=True)
                    for number in range(WORKERS)
                ]
                for process in processes:
                    process.start()
                for limits, url in zip(ROUNDS, urls, strict=True):
                    together.wait(60)
                    together.wait(60)
                    show(limits, report_of(url))
                for process in processes:
                    process.join(10)
        finally:
            redis.stop()


if __name__ == "__main__":
    main()
