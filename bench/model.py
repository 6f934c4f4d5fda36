"""Five hundred model calls of one second, in flight from one worker, through the SDK over HTTP."""

import asyncio
import json
import multiprocessing
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from aicompany.ports.model import ModelMessage, ModelRequest, TextBlock
from aicompany.resilience.breaker import Breaker
from aicompany.spec.company import AICompany
from aicompany.tasks.intake import OrderRequest, accept_order
from aicompany_desk.local.company import run_company
from aicompany_workers.clock import SystemClock
from aicompany_workers.model.anthropic import AnthropicModel
from aicompany_workers.model.credentials import Credentials
from aicompany_workers.model.guarded import GuardedModel
from aicompany_workers.model.prices import PriceTable
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
            while (await parts.queries.task_counts()).get("completed", 0) < CALLS:
                await asyncio.sleep(0.01)
            elapsed = time.perf_counter() - started
    return elapsed, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def calls_alone(url: str) -> float:
    """Elapsed seconds for 500 calls at once through the worker's model: adapter, limit, deadline and breaker."""
    model = GuardedModel(
        AnthropicModel(Credentials("sk-bench", None, url), PriceTable.load()),
        breaker=Breaker(),
        concurrency=CALLS,
        clock=SystemClock(),
    )
    words = (ModelMessage(role="user", content=(TextBlock(text="hello"),)),)
    request = ModelRequest(model="claude-sonnet-5-5", messages=words, max_tokens=1000, timeout_seconds=60)
    # Once before, so that connections stand as they do in a worker that has been at work for a while.
    await asyncio.gather(*(model.answer(request) for _ in range(CALLS)))
    started = time.perf_counter()
    await asyncio.gather(*(model.answer(request) for _ in range(CALLS)))
    elapsed = time.perf_counter() - started
    await model.close()
    return elapsed


def measure_calls(url: str, answers: "multiprocessing.Queue[tuple[float, float, float]]") -> None:
    elapsed = asyncio.run(calls_alone(url))
    cpu = psutil.Process().cpu_times()
    answers.put((elapsed, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, cpu.user + cpu.system))


def measure(url: str, answers: "multiprocessing.Queue[tuple[float, float, float]]") -> None:
    elapsed, peak = asyncio.run(five_hundred(url))
    cpu = psutil.Process().cpu_times()
    answers.put((elapsed, peak, cpu.user + cpu.system))


def in_a_process(work: Callable[..., None], url: str) -> tuple[float, float, float]:
    """What `work` measures in a process of its own: elapsed seconds, peak MiB, CPU seconds."""
    context = multiprocessing.get_context("spawn")
    answers: multiprocessing.Queue[tuple[float, float, float]] = context.Queue()
    process = context.Process(target=work, args=(url, answers))
    process.start()
    measured = answers.get(timeout=120)
    process.join()
    return measured


def main() -> None:
    heading(f"{CALLS} model calls of {SECONDS:g} s in flight in one worker")
    command = [sys.executable, "-m", "tests.messages_api", "--latency", str(SECONDS)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            url = json.loads(server.stdout.readline())["url"]
            calls = in_a_process(measure_calls, url)
            whole = in_a_process(measure, url)
        finally:
            server.terminate()
    figure(f"{CALLS} calls at once through the worker's model", "≤ 1.3 s", f"{calls[0]:.2f} s")
    figure("peak memory of that process", "≤ 250 MiB", f"{calls[1]:.0f} MiB")
    figure(f"{CALLS} orders of one such call each, stored and delivered", "-", f"{whole[0]:.2f} s")
    figure("peak memory of the whole company meanwhile", "≤ 250 MiB", f"{whole[1]:.0f} MiB")
    figure("CPU of the whole company for each order, its start included", "-", f"{whole[2] / CALLS * 1000:.1f} ms")


if __name__ == "__main__":
    main()
