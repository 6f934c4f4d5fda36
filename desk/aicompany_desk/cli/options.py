"""Options that many commands share."""

from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

output_option = click.option(
    "-o", "--output", type=click.Choice(["table", "json", "yaml"]), default="table", show_default=True,
    help="How to print.",
)  # fmt: skip

state_option = click.option(
    "--state", type=click.Path(path_type=Path, file_okay=False), envvar="AICOMPANY_STATE",
    help="State directory of the company.",
)  # fmt: skip

_REACH = (
    click.option("--company", envvar="AICOMPANY_COMPANY", help="Name of the company, when there are several."),
    click.option("--url", envvar="AICOMPANY_URL", help="Address of its gateway."),
    state_option,
)


def reach_options(command: Command) -> Command:
    """`--company`, `--url` and `--state`: which company is meant."""
    return reduce(lambda wrapped, option: option(wrapped), reversed(_REACH), command)
