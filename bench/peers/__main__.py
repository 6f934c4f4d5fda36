"""`python -m bench.peers [--rounds 5] [--tasks 20000] [--calls 2000] [--only NAME …]`: the race."""

import argparse
import heapq
import json
import math
import os
import platform
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.servers.rabbitmq import RabbitServer, rabbitmq_server

ROOT = Path(__file__).resolve().parents[2]
CONTESTANTS = Path(__file__).parent / "contestants"
PAGE = ROOT / "docs" / "benchmarks.md"
BEGIN, END = "<!-- race: begin -->", "<!-- race: end -->"
LIMIT_SECONDS = 180
LATENCY_SECONDS = 0.5
SPREAD = 0.5
"""Sigma of the log-normal latencies."""
NO_OP = {
    "ours": "ours",
    "pika_bare": "bare pika consumer (no worker around it)",
    "dramatiq_gevent": "Dramatiq, gevent",
    "dramatiq_threads": "Dramatiq, 8 threads",
    "faststream_default": "FastStream",
    "taskiq_default": "Taskiq",
    "celery_threads": "Celery, threads",
    "celery_gevent": "Celery, gevent",
}
CALLS = {
    "ours": "ours",
    "faststream_default": "FastStream, the SDK's default transport",
    "faststream_aiohttp": "FastStream, the SDK's aiohttp transport",
    "taskiq_default": "Taskiq, aiohttp transport",
    "dramatiq_threads": "Dramatiq, 200 threads",
    "celery_threads": "Celery, 200 threads",
}
PEERS = ("celery", "dramatiq", "faststream", "taskiq", "taskiq-aio-pika", "pika", "anthropic", "gevent")


@dataclass
class Result:
    rates: list[float] = field(default_factory=list)
    cpu_ms: list[float] = field(default_factory=list)
    rss_mb: list[float] = field(default_factory=list)
    problem: str = ""


def python_of(name: str) -> str:
    return sys.executable if name == "ours" else str(ROOT / ".venv-peers" / "bin" / "python")


def run_once(server: RabbitServer, name: str, count: int, in_flight: int, model_url: str | None) -> dict[str, float]:
    vhost = f"race-{name}-{time.monotonic_ns()}"
    with tempfile.TemporaryDirectory() as place:
        figures = Path(place, "figures.json")
        environment = {
            **os.environ, "RACE_URL": server.add_vhost(vhost), "RACE_QUEUE": "race", "RACE_COUNT": str(count),
            "RACE_IN_FLIGHT": str(in_flight), "RACE_FIGURES": str(figures), "PYTHONPATH": f"{CONTESTANTS}:{ROOT}",
        }  # fmt: skip
        if model_url:
            environment["RACE_MODEL_URL"] = model_url
        command = [python_of(name), "-W", "ignore", str(CONTESTANTS / f"{name}.py")]
        log = Path(place, "log")
        with log.open("w") as out:
            subprocess.run(
                [*command, "publish"], env=environment, check=True, timeout=LIMIT_SECONDS, stdout=out, stderr=out
            )
            consumer = subprocess.Popen(
                [*command, "consume"], env=environment, stdout=out, stderr=out, start_new_session=True
            )
            try:
                deadline = time.monotonic() + LIMIT_SECONDS
                while not figures.exists():
                    if consumer.poll() is not None or time.monotonic() > deadline:
                        raise RuntimeError(log.read_text()[-600:] or "it ended without figures")
                    time.sleep(0.02)
                return json.loads(figures.read_text())
            finally:
                # One that ended by itself, without figures, has no group any more.
                with suppress(ProcessLookupError):
                    os.killpg(consumer.pid, signal.SIGKILL)
                consumer.wait()
                server.delete_vhost(vhost)


def ideal_rate(calls: int, in_flight: int, spread: float) -> float:
    """Calls a second when every place takes the next call at once: with spread latencies the longest ones end alone."""
    drawn = random.Random(2)  # as the server draws them
    mu = math.log(LATENCY_SECONDS) - spread**2 / 2
    free_at = [0.0] * in_flight
    for _ in range(calls):
        latency = drawn.lognormvariate(mu, spread) if spread else LATENCY_SECONDS
        heapq.heappush(free_at, heapq.heappop(free_at) + latency)
    return calls / max(free_at)


@contextmanager
def model_server(spread: float):
    command = [sys.executable, "-m", "tests.messages_api", "--latency", str(LATENCY_SECONDS), "--spread", str(spread)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            yield json.loads(process.stdout.readline())["url"]
        finally:
            process.terminate()


def race(server, names, rounds: int, count: int, in_flight: int, spread: float | None) -> dict[str, Result]:
    """Random order in each round. With a spread each run has a model server of its own: all meet the same latencies."""
    results = {name: Result() for name in names}
    for number in range(rounds):
        order = list(names)
        random.shuffle(order)
        for name in order:
            if results[name].problem:
                continue
            print(f"round {number + 1}/{rounds}: {name}", end=" … ", file=sys.stderr, flush=True)
            try:
                if spread is None:
                    figures = run_once(server, name, count, in_flight, None)
                else:
                    with model_server(spread) as url:
                        figures = run_once(server, name, count, in_flight, url)
            except (RuntimeError, subprocess.SubprocessError) as error:
                results[name].problem = (str(error).strip().splitlines() or ["no reason given"])[-1][:120]
                print(f"failed: {error}", file=sys.stderr)
                continue
            results[name].rates.append(figures["per_second"])
            results[name].cpu_ms.append(figures["cpu_ms"])
            results[name].rss_mb.append(figures["rss_mb"])
            print(f"{figures['per_second']:,.0f}/s", file=sys.stderr)
    return results


def table(titles: dict[str, str], results: dict[str, Result], ideal: float | None) -> list[str]:
    counted = "tasks/s" if ideal is None else f"calls/s, of ideal {ideal:.0f}"
    each = "task" if ideal is None else "call"
    lines = [f"| contestant | {counted}, median (range) | CPU per {each} | peak memory |", "|---|---|---|---|"]
    ordered = sorted(results, key=lambda name: -statistics.median(results[name].rates or [0]))
    for name in ordered:
        result = results[name]
        if not result.rates:
            lines.append(f"| {titles[name]} | did not finish: {result.problem} | | |")
            continue
        median = statistics.median(result.rates)
        part = f" = {median / ideal:.3f}" if ideal else ""
        spread = f"{min(result.rates):,.0f}–{max(result.rates):,.0f}"
        cpu, rss = statistics.median(result.cpu_ms), statistics.median(result.rss_mb)
        # A median of fewer rounds must not look like one of all.
        broke = f"; failed in round {len(result.rates) + 1}: {result.problem}" if result.problem else ""
        lines.append(f"| {titles[name]}{broke} | {median:,.0f}{part} ({spread}) | {cpu:.3f} ms | {rss:.0f} MB |")
    return lines


def versions() -> str:
    listed = subprocess.run(
        [python_of("peer"), "-m", "pip", "list", "--format=json"], capture_output=True, text=True, check=True
    )
    found = {package["name"].lower(): package["version"] for package in json.loads(listed.stdout)}
    return ", ".join(f"{name} {found[name]}" for name in PEERS if name in found)


def goals(results: dict[str, Result]) -> list[str]:
    def median(name: str) -> float:
        return statistics.median(results[name].rates) if name in results and results[name].rates else float("nan")

    ours = median("ours")
    peers = [name for name in results if name not in {"ours", "pika_bare"} and results[name].rates]
    if not peers or ours != ours:
        return []
    best = max(peers, key=median)
    celery = max(median("celery_threads"), median("celery_gevent"))
    return [
        f"- ours / FastStream: {ours / median('faststream_default'):.2f} (goal ≥ 2)",
        f"- ours / best peer ({NO_OP[best]}): {ours / median(best):.2f} (goal ≥ 1.2)",
        f"- ours / Celery (its better pool): {ours / celery:.2f} (goal ≥ 3.5)",
        f"- our CPU per task: {statistics.median(results['ours'].cpu_ms):.3f} ms (goal ≤ 0.13 ms)",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--call-rounds", type=int, default=5)
    parser.add_argument("--tasks", type=int, default=20_000)
    parser.add_argument("--calls", type=int, default=2_000)
    parser.add_argument("--quick", action="store_true", help="one round of each")
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/benchmarks.md")
    chosen = parser.parse_args()
    if chosen.quick:
        chosen.rounds = chosen.call_rounds = 1
    subprocess.run([str(Path(__file__).parent / "setup")], check=True)
    with tempfile.TemporaryDirectory() as place:
        server = rabbitmq_server(Path(place))
        server.start()
        try:
            page = run_races(server, chosen)
        finally:
            server.end()
    print(page)
    if chosen.write:
        write(page)


def run_races(server: RabbitServer, chosen: argparse.Namespace) -> str:
    wanted = lambda titles: [name for name in titles if not chosen.only or name in chosen.only]  # noqa: E731
    server_version = server.control("version").strip()
    lines = [f"RabbitMQ {server_version}, Python {platform.python_version()}, {os.cpu_count()} cores; {versions()}", ""]
    if chosen.tasks:
        results = race(server, wanted(NO_OP), chosen.rounds, chosen.tasks, 100, None)
        lines += [
            f"{chosen.tasks:,} no-op tasks, classic durable queue, late acknowledgement, 100 in flight, one process:",
            "",
            *table(NO_OP, results, None), "", *goals(results), "",
        ]  # fmt: skip
    if chosen.calls:
        for kind, spread in (("of 0.5 s", 0.0), ("log-normal around 0.5 s", SPREAD)):
            ideal = ideal_rate(chosen.calls, 200, spread)
            results = race(server, wanted(CALLS), chosen.call_rounds, chosen.calls, 200, spread)
            heading = f"{chosen.calls:,} model calls {kind} over HTTP through the Anthropic SDK, 200 in flight:"
            lines += [heading, "", *table(CALLS, results, ideal), ""]
            if not spread and "ours" in results and results["ours"].rates:
                part = statistics.median(results["ours"].rates) / ideal
                lines += [f"- our part of the ideal: {part:.3f} (goal ≥ 0.98)", ""]
    return "\n".join(lines)


def write(page: str) -> None:
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n{page}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
