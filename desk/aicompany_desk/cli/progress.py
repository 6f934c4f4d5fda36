"""An order's progress as people see it: a live picture on a terminal, a line for each event elsewhere."""

import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import click
from rich.console import Console, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

_MARKS = {
    "pending": "·", "submitted": "…", "running": "▸", "completed": "✓", "failed": "✗", "cancelled": "–", "undone": "↶",
}  # fmt: skip
_STYLES = {"completed": "green", "failed": "red", "cancelled": "yellow", "undone": "yellow", "running": "cyan"}
_STATE_OF_EVENT = {
    "task_submitted": "submitted",
    "task_started": "running",
    "retry_scheduled": "submitted",
    "task_postponed": "submitted",
    "task_completed": "completed",
    "task_failed": "failed",
    "task_cancelled": "cancelled",
    "task_undone": "undone",
    "task_reopened": "submitted",
}


@dataclass(slots=True)
class OrderProgress:
    """What is known of an order, event by event."""

    order: str
    started: float = field(default_factory=time.monotonic)
    state: str = "submitted"
    phases: list[tuple[str, list[tuple[str, str, str]]]] = field(default_factory=list)
    """Name, and of each step id, title and agent."""
    steps: dict[str, str] = field(default_factory=dict)
    """State of each step."""
    tokens: int = 0
    cost_usd: Decimal = Decimal(0)
    unpriced: int = 0
    kept_at: str | None = None
    failure: str | None = None
    files: tuple[str, ...] = ()
    """Files that were made."""

    def take(self, event: dict[str, Any]) -> str | None:
        """Take an event in; a line that tells it, `None` for what needs no telling."""
        kind, data, subject = event["type"], event["data"], event["id"]
        if kind == "model_answered":
            self._meter(data["answer"]["usage"])
            return None
        if kind == "plan_made":
            self._plan(data["plan"])
            steps = sum(len(steps) for _, steps in self.phases)
            return f"plan: {_count(len(self.phases), 'phase')}, {_count(steps, 'step')}"
        if kind == "phase_completed":
            return f"phase {data['phase']} of {len(self.phases)} done: {self.phases[data['phase'] - 1][0]}"
        if kind == "rollback_started":
            return f"taking phase {data['phase']} back: {data['failure']['message']}"
        if kind == "result_delivered":
            self.kept_at = data["kept_at"]
            return None
        return self._move(kind, data, subject)

    @property
    def totals(self) -> str:
        """Tokens, cost and time."""
        unpriced = f" (+ {_count(self.unpriced, 'unpriced call')})" if self.unpriced else ""
        seconds = time.monotonic() - self.started
        return f"{self.tokens:,} tokens · ${self.cost_usd:.4f}{unpriced} · {seconds:.1f} s"

    def _plan(self, plan: dict[str, Any]) -> None:
        self.phases = []
        for number, phase in enumerate(plan["phases"], start=1):
            steps = []
            for place, step in enumerate(phase["steps"], start=1):
                step_id = f"{self.order}.{number}.{place}"
                steps.append((step_id, step["title"], step.get("agent") or ""))
                self.steps.setdefault(step_id, "pending")
            self.phases.append((phase["name"], steps))

    def _meter(self, usage: dict[str, Any]) -> None:
        self.tokens += sum(usage.get(name, 0) for name in usage if name.endswith("_tokens"))
        self.cost_usd += Decimal(str(usage.get("cost_usd", 0)))
        self.unpriced += usage.get("unpriced_calls", 0)

    def _move(self, kind: str, data: dict[str, Any], subject: str) -> str | None:
        state = _STATE_OF_EVENT.get(kind)
        if state is None:
            return None
        if subject == self.order:
            self.state = state
            self.kept_at = self.failure = None
            self.files = tuple(data.get("files", ()))
            if state == "failed":
                self.failure = data["failure"]["message"]
            elif state == "cancelled":
                self.failure = data["reason"]
            return None
        self.steps[subject] = state
        title = next((t for _, steps in self.phases for i, t, _ in steps if i == subject), subject)
        if kind == "retry_scheduled":
            return f"{title}: {data['failure']['message']}; again in {data['delay_seconds']:.0f} s"
        return f"{title}: {state}" if state != "submitted" else None

    def picture(self) -> Group:
        """The live picture."""
        lines: list[Text | Spinner] = []
        for number, (name, steps) in enumerate(self.phases, start=1):
            lines.append(Text(f"phase {number} · {name}", style="bold"))
            for step_id, title, agent in steps:
                state = self.steps.get(step_id, "pending")
                text = Text(f"  {_MARKS[state]} {title}", style=_STYLES.get(state, ""))
                lines.append(text.append(f"  {agent}", style="dim"))
        lines.append(Spinner("dots", text=Text(f" {self.state} · {self.totals}", style="dim")))
        return Group(*lines)


async def show_progress(order: str, events: AsyncIterator[dict[str, Any]], *, quiet: bool = False) -> OrderProgress:
    """Follow an order to its end and return what is known of it then. All is shown on standard error."""
    progress = OrderProgress(order)
    if quiet:
        async for event in events:
            progress.take(event)
    elif sys.stderr.isatty():
        with Live(console=Console(stderr=True), get_renderable=progress.picture, refresh_per_second=10):
            async for event in events:
                progress.take(event)
    else:
        async for event in events:
            line = progress.take(event)
            if line:
                click.echo(f"  {line}", err=True)
    return progress


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
