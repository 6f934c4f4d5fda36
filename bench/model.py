"""Five hundred model calls of one second, in flight from one worker, through the SDK over HTTP."""

import asyncio
import json
import multiprocessing
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from aicompany.spec.company import AICompany
from aicompany.tasks.intake import OrderRequest, accept_order
from aicompany_desk.local.company import run_company
from bench.figures import figure, heading

CALLS = 500
SECONDS = 1.0


async def five_hundred(url: str) -> tuple[float, float]:
    """Elapsed seconds and peak MiB for one order of 500 steps, each one call."""
    spec = {
        "gateway": {"port": 0},
        "model": {"provider": "anthropic"},
        "workers": {"task": {"min": 1, "max": 1, "concurrency": CALLS}},
        "planning": {"stepsMax": CALLS, "parallelMax": CALLS},
        "logging": {"level": "warning"},
    }
    company = AICompany.model_validate(
        {"apiVersion": "aicompany.io/v1alpha1", "kind": "AICompany", "metadata": {"name": "bench"}, "spec": spec}
    )
    environment = {"ANTHROPIC_API_KEY": "sk-bench", "ANTHROPIC_BASE_URL": url}
    with tempfile.TemporaryDirectory() as directory:
        async with run_company(company, Path(directory), environment=environment) as local:
            parts = local.parts
            started = time.perf_counter()
            orders = []
            for number in range(CALLS):
                accepted = accept_order(
                    OrderRequest(prompt=f"call {number}"),
                    parts.spec.orders,
                    now=parts.clock.now(),
                    new_id=parts.ids.new_id,
                    trace_id=parts.ids.new_trace_id(),
                )
                await parts.store.commit(accepted.change)
                orders.append(accepted.task_id)
            while (await parts.queries.task_counts()).get("completed", 0) < CALLS:  # noqa: ASYNC110 - it measures
                await asyncio.sleep(0.01)
            elapsed = time.perf_counter() - started
    return elapsed, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(url: str, answers: "multiprocessing.Queue[tuple[float, float, float]]") -> None:
    elapsed, peak = asyncio.run(five_hundred(url))
    cpu = psutil.Process().cpu_times()
    answers.put((elapsed, peak, cpu.user + cpu.system))


def main() -> None:
    heading(f"{CALLS} model calls of {SECONDS:g} s in flight in one worker")
    command = [sys.executable, "-m", "tests.messages_api", "--latency", str(SECONDS)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            url = json.loads(server.stdout.readline())["url"]
            context = multiprocessing.get_context("spawn")
            answers: multiprocessing.Queue[tuple[float, float, float]] = context.Queue()
            process = context.Process(target=measure, args=(url, answers))
            process.start()
            elapsed, peak, cpu = answers.get(timeout=120)
            process.join()
        finally:
            server.terminate()
    figure(f"{CALLS} orders of one call each, all stored and delivered", "≤ 1.3 s", f"{elapsed:.2f} s")
    figure("peak memory of the whole company meanwhile", "≤ 250 MiB", f"{peak:.0f} MiB")
    figure("CPU of the whole company for each order", "-", f"{cpu / CALLS * 1000:.1f} ms")


if __name__ == "__main__":
    main()
