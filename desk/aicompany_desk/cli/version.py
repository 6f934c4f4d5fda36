"""`aicompany version`: what is installed here."""

import platform

import click

import aicompany
from aicompany_desk.cli.options import output_option
from aicompany_desk.cli.printing import fields, print_data
from aicompany_desk.state_place import companies_directory


@click.command("version")
@output_option
def command(output: str) -> int:
    """Show the version, the Python it runs on, and where companies keep their state."""
    data = {
        "aicompany": aicompany.__version__,
        "python": platform.python_version(),
        "state": str(companies_directory()),
    }
    print_data(data, output, fields(data))
    return 0
