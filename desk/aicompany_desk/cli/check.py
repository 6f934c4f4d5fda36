"""`aicompany check`: whether a company's file is right."""

import os
from pathlib import Path

import click

from aicompany_desk.cli.options import output_option
from aicompany_desk.cli.printing import print_data
from aicompany_desk.company_file import load_company


@click.command("check")
@click.argument("company_file", type=click.Path(path_type=Path, dir_okay=False))
@output_option
def command(company_file: Path, output: str) -> int:
    """Check COMPANY_FILE and say every mistake with its path, its line and what would be right."""
    company = load_company(company_file, os.environ)
    data = company.model_dump(mode="json", by_alias=True, exclude_none=True)
    agents = ", ".join(agent.name for agent in company.spec.agents)
    print_data(data, output, f"{company_file} is right: company {company.metadata.name}, agents {agents}")
    return 0
