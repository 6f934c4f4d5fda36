"""`aicompany status`: how the company is."""

import asyncio
from pathlib import Path
from typing import Any

import click

from aicompany_desk.cli.client import reach
from aicompany_desk.cli.options import output_option, reach_options
from aicompany_desk.cli.printing import fields, print_data, table


@click.command("status")
@click.option("--hours", type=click.FloatRange(min=0, min_open=True), default=24, show_default=True, help="Look back.")
@reach_options
@output_option
def command(hours: float, company: str | None, url: str | None, state: Path | None, output: str) -> int:
    """Show workers, queues, decisions and what happened in the last hours."""
    return asyncio.run(_status(hours, company, url, state, output))


async def _status(hours: float, company: str | None, url: str | None, state: Path | None, output: str) -> int:
    async with reach(company, url, state, changes=False) as client:
        status = await client.get("/v1/status", hours=hours)
    print_data(status, output, text_of(status))
    return 0


def text_of(status: dict[str, Any]) -> str:
    """As a page."""
    performance = status["performance"]
    model = status.get("model", {})
    head = {
        "company": status["company"],
        "running": "yes" if status["running"] else "no (this is what its store says)",
        "model": ("offline" if model.get("offline") else model.get("name")) if model else None,
        "breaker": model.get("breaker"),
        "orders": ", ".join(f"{count} {state}" for state, count in sorted(status["orders"].items())) or "none yet",
        f"last {performance['hours']:g} h": (
            f"{performance['submitted']} submitted, {performance['completed']} completed, "
            f"{performance['failed']} failed, {performance['cancelled']} cancelled"
        ),
        "response": _seconds(performance),
        "model cost": f"{performance['tokens']:,} tokens, ${float(performance['cost_usd']):.4f}",
    }
    parts = [fields(head)]
    if status.get("workers"):
        rows = [
            (w["name"], "ready" if w["ready"] else "not ready", w["in_flight"], w["restarts"], w["health_url"])
            for w in status["workers"]
        ]
        parts.append(table(("WORKER", "STATE", "IN FLIGHT", "RESTARTS", "HEALTH"), rows, ""))
    processes = [
        (p["process"], p["group"], f"{p['in_flight']}/{p['capacity']}", f"{p['memory_bytes'] / 2**20:.0f} MiB", p["at"])
        for p in status.get("processes", [])
    ]
    if processes:
        parts.append(table(("PROCESS", "GROUP", "IN FLIGHT", "MEMORY", "HEARTBEAT"), processes, ""))
    overload = status.get("overload", {})
    if overload.get("step", "none") != "none":
        parts.append(fields({"overload": f"{overload['step']} ({overload['why']})"}))
    queues = [
        (q["queue"], q["ready"], _told(q["unacknowledged"]), _told(q["delayed"]), q["consumers"])
        for q in status["queues"]
    ]
    if queues:
        parts.append(table(("QUEUE", "READY", "AT WORK", "DELAYED", "CONSUMERS"), queues, ""))
    decisions = [(group, d["replicas"], d["why"]) for group, d in status.get("scaling", {}).items()]
    if decisions:
        parts.append(table(("GROUP", "WORKERS", "WHY"), decisions, ""))
    return "\n\n".join(parts)


def _told(number: int | None) -> str:
    """What the broker does not tell is not zero."""
    return "-" if number is None else str(number)


def _seconds(performance: dict[str, Any]) -> str | None:
    if performance["response_seconds_p50"] is None:
        return None
    return f"p50 {performance['response_seconds_p50']:.3f} s, p95 {performance['response_seconds_p95']:.3f} s"
