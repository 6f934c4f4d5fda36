"""The server as a process: `python -m tests.messages_api [--port N] [--latency SECONDS]` prints its address as JSON."""

import argparse
import asyncio
import json

from tests.messages_api.server import MessagesApi


async def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--latency", type=float, default=0.0)
    arguments = parser.parse_args()
    async with MessagesApi(latency_seconds=arguments.latency).serving(arguments.port) as api:
        print(json.dumps({"url": api.url, "port": int(api.url.rpartition(":")[2])}), flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
