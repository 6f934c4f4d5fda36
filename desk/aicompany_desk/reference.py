"""Writes the generated pages: `python -m aicompany_desk.reference DIRECTORY`."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
from prometheus_client import CollectorRegistry

from aicompany import errors
from aicompany.spec.company import AICompany
from aicompany.spec.reference import reference_page
from aicompany_desk.cli.exit_codes import MEANING, code_of
from aicompany_desk.cli.main import COMMANDS, cli
from aicompany_desk.kubectl.main import COMMANDS as KUBECTL_COMMANDS
from aicompany_workers.telemetry.metrics import WorkerMetrics


def cli_page() -> str:
    """Every command with its help."""
    parts = ["# Command line\n", "Made from the commands' own help.\n"]
    context = click.Context(cli, info_name="aicompany")
    return "\n".join([*parts, *(_section(path, command) for path, command in _commands(context))])


def kubectl_page() -> str:
    """Every command of the kubectl plug-in with its help."""
    head = (
        "# kubectl aicompany\n\nMade from the commands' own help. kubectl finds the plug-in by its name on the `PATH`; "
        "it comes with\n`pip install '.[kubernetes]'` in a clone of the project.\n"
    )
    return "\n".join([head, *(_section(f"kubectl aicompany {command.name}", command) for command in KUBECTL_COMMANDS)])


def _section(path: str, command: click.Command) -> str:
    with click.Context(command, info_name=path, max_content_width=100) as ctx:
        return f"## {path}\n\n```text\n{command.get_help(ctx).rstrip()}\n```\n"


def _commands(context: click.Context) -> Iterator[tuple[str, click.Command]]:
    for name in COMMANDS:
        command = cli.get_command(context, name)
        if command is None:
            continue
        yield f"aicompany {name}", command
        if isinstance(command, click.Group):
            for below in command.commands.values():
                yield f"aicompany {name} {below.name}", below


def exit_codes_page() -> str:
    """Every exit code, and the code of every error."""
    rows = [f"| {code} | {meaning} |" for code, meaning in MEANING.items()]
    classes = [
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.AICompanyError)
    ]
    listed = [f"| `{kind.code}` | {code_of(kind('x'))} | {(kind.__doc__ or '').splitlines()[0]} |" for kind in classes]
    return "\n".join(
        [
            "# Exit codes and error codes\n",
            "Both are stable. Error codes stand in events, HTTP problems and dead letters.\n",
            "| exit | meaning |",
            "|---|---|",
            *rows,
            "\n| error | exit | meaning |",
            "|---|---|---|",
            *listed,
            "",
        ]
    )


def metrics_page() -> str:
    """Every metric of the workers."""
    registry = CollectorRegistry()
    WorkerMetrics(registry)
    rows = [f"| `{metric.name}` | {metric.type} | {metric.documentation} |" for metric in registry.collect()]
    head = ["# Metrics\n", "Served at `/metrics` of every worker and of the gateway. Counters get `_total`.\n"]
    return "\n".join([*head, "| metric | type | meaning |", "|---|---|---|", *rows, ""])


def schema_page() -> str:
    """The JSON schema of a company's file, for editors."""
    return json.dumps(AICompany.model_json_schema(by_alias=True), indent=2, ensure_ascii=False) + "\n"


PAGES: dict[str, Callable[[], str]] = {
    "configuration.md": reference_page,
    "cli.md": cli_page,
    "kubectl.md": kubectl_page,
    "exit-codes.md": exit_codes_page,
    "metrics.md": metrics_page,
    "company.schema.json": schema_page,
}


def main(directory: Path) -> None:
    """Write all pages."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, make in PAGES.items():
        (directory / name).write_text(make(), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
