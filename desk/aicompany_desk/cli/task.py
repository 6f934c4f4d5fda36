"""`aicompany task`: everything about one task."""

import asyncio
from pathlib import Path
from typing import Any

import click

from aicompany_desk.cli.client import path_of, reach
from aicompany_desk.cli.options import output_option, reach_options
from aicompany_desk.cli.printing import fields, print_data, shortened, table


@click.command("task")
@click.argument("task_id")
@reach_options
@output_option
def command(task_id: str, company: str | None, url: str | None, state: Path | None, output: str) -> int:
    """Show the order or step TASK_ID: where it stands, its steps, its whole history, its result."""
    return asyncio.run(_task(task_id, company, url, state, output))


async def _task(task_id: str, company: str | None, url: str | None, state: Path | None, output: str) -> int:
    async with reach(company, url, state, changes=False) as client:
        task = await client.get(path_of("tasks", task_id))
    print_data(task, output, text_of(task))
    return 0


def text_of(task: dict[str, Any]) -> str:
    """As a page."""
    head = {
        "id": task["id"],
        "title": task["title"],
        "state": task["state"],
        "why": task["error_message"],
        "lane": task["lane"],
        "kind": task["kind"],
        "agent": task["agent"],
        "submitted": task["submitted_at"],
        "ended": task["ended_at"],
        "deadline": task["deadline"],
        "tokens": task["tokens"],
        "cost": f"${float(task['cost_usd']):.4f}",
        "cached": _cached(task["history"]),
        "kept in": task["kept_at"],
        "trace": task["trace_id"],
    }
    parts = [fields(head)]
    if task["steps"]:
        rows = [(s["id"].split(".", 1)[1], s["state"], s["agent"], shortened(s["title"], 60)) for s in task["steps"]]
        parts.append(table(("STEP", "STATE", "AGENT", "TITLE"), rows, ""))
    history = [
        (e["timestamp"][11:23], e["id"].partition(".")[2] or "order", e["type"], shortened(_gist(e), 70))
        for e in task["history"]
    ]
    parts.append(table(("TIME", "STEP", "EVENT", ""), history, ""))
    if task["result"]:
        parts.append(task["result"].rstrip())
    return "\n\n".join(parts)


def _cached(history: list[dict[str, Any]]) -> str:
    """How many answers had been given before to the same question; empty when none."""
    answers = [event["data"]["answer"] for event in history if event["type"] == "model_answered"]
    cached = sum(answer.get("cached", False) for answer in answers)
    return f"{cached} of {len(answers)} answers, given before to the same question" if cached else ""


def _gist(event: dict[str, Any]) -> str:
    """What a person wants to know of an event in one line."""
    data = event["data"]
    match event["type"]:
        case "task_submitted":
            return f"{data['lane']} lane: {data['lane_reason']}"
        case "task_started":
            return f"by {data['worker']}, attempt {data['attempt']}"
        case "model_answered":
            return _answered(data["answer"], data["duration_seconds"])
        case "tools_used":
            return ", ".join([*data.get("files_created", []), *data.get("files_changed", [])])
        case "plan_made":
            phases = data["plan"]["phases"]
            return f"{len(phases)} phases, {sum(len(p['steps']) for p in phases)} steps ({data['source']})"
        case "step_ended":
            return f"{data['step'].split('.', 1)[1]} {data['outcome']}"
        case "retry_scheduled" | "task_failed" | "rollback_started":
            return str(data["failure"]["message"])
        case "task_cancelled" | "task_reopened" | "task_postponed":
            return str(data["reason"])
        case "result_delivered":
            return str(data["kept_at"])
        case _:
            return ""


def _answered(answer: dict[str, Any], seconds: float) -> str:
    if answer.get("cached"):
        return f"{answer['model']}: cached, given before to the same question"
    tokens = sum(value for name, value in answer["usage"].items() if name.endswith("_tokens"))
    return f"{answer['model']}: {tokens:,} tokens in {seconds:.2f} s"
