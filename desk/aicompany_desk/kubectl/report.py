"""`kubectl aicompany report`: one page for whoever asks how the company does, or for a bug report. No secrets."""

import asyncio
import re
from typing import Any

import click

import aicompany
from aicompany.errors import AICompanyError
from aicompany.spec.address import without_password
from aicompany_desk.cli.client import GatewayClient
from aicompany_desk.cli.options import cluster_options, cluster_place, output_option
from aicompany_desk.cli.printing import print_data
from aicompany_desk.cli.status import text_of as status_text
from aicompany_desk.cluster.api import ClusterApi, cluster_api
from aicompany_desk.cluster.company import CompanyThere, find, gateway_of
from aicompany_desk.kubectl.status import events_of, events_told, text_of

_KEY = re.compile(r"\bsk-[A-Za-z0-9_-]{8,}")


@click.command("report")
@click.argument("name")
@click.option("--hours", type=click.FloatRange(min=0, min_open=True), default=24, show_default=True, help="Look back.")
@cluster_options
@output_option
def report(name: str, hours: float, output: str) -> int:
    """Everything about the company NAME on one page: conditions, Events, work done, tokens and money."""
    return asyncio.run(_report(name, hours, output))


async def _report(name: str, hours: float, output: str) -> int:
    async with cluster_api(cluster_place()) as api:
        company = await find(api, name)
        events = await events_of(api, company)
        work = await _work_of(api, company, hours)
    data = {
        "version": aicompany.__version__,
        "company": f"{company.namespace}/{company.name}",
        "generation": company.resource["metadata"].get("generation"),
        "status": company.resource.get("status", {}),
        **events_told(events),
        "work": work,
    }
    done = status_text(work) if "performance" in work else f"what was done is not known: {work['unknown']}"
    text = f"aicompany {aicompany.__version__}\n\n{text_of(company, events)}\n\n{done}"
    print_data(without_secrets(data), output, without_secrets(text))
    return 0


def without_secrets(told: Any) -> Any:  # noqa: ANN401 - whatever JSON can hold
    """The same without passwords in addresses and without the model's keys: messages quote what went wrong."""
    if isinstance(told, str):
        return _KEY.sub("***", without_password(told))
    if isinstance(told, dict):
        return {name: without_secrets(value) for name, value in told.items()}
    if isinstance(told, list):
        return [without_secrets(value) for value in told]
    return told


async def _work_of(api: ClusterApi, company: CompanyThere, hours: float) -> dict[str, Any]:
    """What the gateway says; why it says nothing, when it does not: a report is wanted most when something is wrong."""
    try:
        async with gateway_of(api, company) as http:
            return await GatewayClient(http).get("/v1/status", hours=hours)
    except AICompanyError as error:
        return {"unknown": error.message}
