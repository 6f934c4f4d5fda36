"""`aicompany`: finds the command and turns errors into sentences and exit codes.

Nothing heavy is imported here, so that `--help` answers at once.
"""

import importlib
import io
import os
import sys

import click

import aicompany

COMMANDS: dict[str, tuple[str, str]] = {
    "run": ("run", "Start a company, carry one order out, print the result."),
    "up": ("up", "Keep a company running."),
    "order": ("order", "Hand in an order."),
    "tasks": ("tasks", "List orders."),
    "task": ("task", "Show an order or a step with its whole history."),
    "cancel": ("cancel", "Cancel an order."),
    "talk": ("talk", "Talk with the company."),
    "dead": ("dead", "Dead letters: list, show, replay."),
    "status": ("status", "How the company is."),
    "worker": ("worker", "Run one worker process over RabbitMQ and PostgreSQL."),
    "gateway": ("gateway", "Run the gateway alone over RabbitMQ and PostgreSQL."),
    "migrate": ("migrate", "Bring the event store to this version's schema."),
    "import-legacy": ("import_legacy", "Take over the databases of the predecessor."),
    "check": ("check", "Check a company's file."),
    "version": ("version", "What is installed here."),
}
"""Name → module of this package, and the line that `--help` shows."""


class LazyGroup(click.Group):
    """Knows the commands by name and loads one only when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """In the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Load one."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"aicompany_desk.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """The list in `--help`, without loading any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(aicompany.__version__, prog_name="aicompany")
def cli() -> None:
    """A company of Claude-driven workers that runs itself."""


def main() -> None:
    """The entry point. Every way out has a stable exit code; see docs/reference/exit-codes.md."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal that cannot show a sign gets another one rather than nothing at all.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = cli.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our output left; that is no mistake of ours.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as error:  # noqa: BLE001 - the last stop: a person gets a sentence, never a trace
        from aicompany_desk.cli.exit_codes import explain  # noqa: PLC0415 - see above

        sys.exit(explain(error))
    sys.exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()
