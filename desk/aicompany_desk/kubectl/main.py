"""`kubectl aicompany`: kubectl finds it by its name on the PATH."""

import io
import os
import sys

import click

import aicompany
from aicompany_desk.cli.exit_codes import INTERRUPTED, explain
from aicompany_desk.kubectl.explain import explain_task
from aicompany_desk.kubectl.logs import logs
from aicompany_desk.kubectl.report import report
from aicompany_desk.kubectl.resting import hibernate, pause, resume, wake
from aicompany_desk.kubectl.status import status

COMMANDS: tuple[click.Command, ...] = (status, explain_task, pause, resume, hibernate, wake, logs, report)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(aicompany.__version__, prog_name="kubectl aicompany")
def cli() -> None:
    """Companies in a Kubernetes cluster: how they are, why, and what to do with them."""


for command in COMMANDS:
    cli.add_command(command)


def main() -> None:
    """The entry point; the exit codes are those of `aicompany`."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal that cannot show a sign gets another one rather than nothing at all.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        code = cli.main(standalone_mode=False, prog_name="kubectl aicompany")
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output left; that is no mistake of ours.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as error:  # noqa: BLE001 - the last stop: a person gets a sentence, never a trace
        sys.exit(explain(error))
    sys.exit(code if isinstance(code, int) else 0)
