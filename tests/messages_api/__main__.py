"""The server as a process: `python -m tests.messages_api [--port N] [--latency SECONDS]` prints its address as JSON.

With limits a minute it enforces them, and says at `/limits` what they have seen.
"""

import argparse
import asyncio
import json
import math
import random

from tests.messages_api.limits import EnforcedLimits
from tests.messages_api.server import MessagesApi, Reply


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--key", help="the only key that is accepted")
    parser.add_argument("--latency", type=float, default=0.0)
    parser.add_argument("--spread", type=float, default=0.0, help="sigma of a log-normal latency around the mean")
    for name in ("requests", "input-tokens", "output-tokens"):
        parser.add_argument(f"--{name}-per-minute", type=float)
    parser.add_argument("--output-tokens", type=float, default=20.0, help="mean of the answers, spread widely")
    arguments = parser.parse_args()
    wished = (arguments.requests_per_minute, arguments.input_tokens_per_minute, arguments.output_tokens_per_minute)
    limits = EnforcedLimits(*wished) if any(wished) else None
    api = MessagesApi(latency_seconds=arguments.latency, limits=limits, key=arguments.key)
    if arguments.output_tokens != 20:
        drawn = random.Random(1)
        api.script = lambda _: Reply(output_tokens=max(1, round(drawn.expovariate(1 / arguments.output_tokens))))
    if arguments.spread:
        drawn = random.Random(2)
        # So that the mean, not the median, is what was asked for.
        mu = math.log(arguments.latency) - arguments.spread**2 / 2
        api.script = lambda _: Reply(latency_seconds=drawn.lognormvariate(mu, arguments.spread))
    async with api.serving(arguments.port, host=arguments.host):
        print(json.dumps({"url": api.url, "port": int(api.url.rpartition(":")[2])}), flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
