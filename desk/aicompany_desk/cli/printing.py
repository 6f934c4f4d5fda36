"""Printing: a table for people, JSON or YAML for programs; the same data in all."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click
import yaml


def print_data(data: Any, output: str, as_text: str) -> None:  # noqa: ANN401 - whatever JSON can hold
    """The data as JSON or YAML, or the text that people get."""
    if output == "json":
        click.echo(json.dumps(data, indent=2, ensure_ascii=False))
    elif output == "yaml":
        click.echo(yaml.safe_dump(data, sort_keys=False, allow_unicode=True).rstrip())
    else:
        click.echo(as_text)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], empty: str) -> str:
    """Columns of text under their names; a sentence when there is nothing."""
    lines = [[str(cell) if cell is not None else "-" for cell in row] for row in rows]
    if not lines:
        return empty
    widths = [max(len(line[i]) for line in [list(columns), *lines]) for i in range(len(columns))]
    shown = [list(columns), *lines]
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in shown)


def fields(pairs: Mapping[str, object]) -> str:
    """Names and values below each other; empty values are left out."""
    shown = {name: value for name, value in pairs.items() if value not in {None, ""}}
    width = max((len(name) for name in shown), default=0)
    return "\n".join(f"{name.ljust(width)}  {value}" for name, value in shown.items())


def shortened(text: str, characters: int) -> str:
    """One line of at most so many characters."""
    line = " ".join(text.split())
    return line if len(line) <= characters else line[: characters - 1] + "…"
